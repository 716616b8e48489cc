// placeholder
export function renderChart() {
  return "<svg/>";
}
