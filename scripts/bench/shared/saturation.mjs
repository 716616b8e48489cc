// Says whether a window measured the server's limit or somebody else's; pure.

const MIN_SATURATION = 0.95;
const MAX_LOAD_BUSY = 0.9;
const MAX_OTHERS = 0.05;

/** All values are shares of a core. Answers "" when the servers were the limit. */
export function describeDoubt({ saturation, othersOnServerCore, loadBusy, othersOnLoadCore = 0 }) {
  const doubts = [];
  if (saturation < MIN_SATURATION) {
    doubts.push("not saturated");
  }
  if (othersOnServerCore > MAX_OTHERS) {
    doubts.push(`other processes took ${(othersOnServerCore * 100).toFixed(0)} % of the servers' core`);
  }
  if (othersOnLoadCore > MAX_OTHERS) {
    doubts.push(`other processes took ${(othersOnLoadCore * 100).toFixed(0)} % of the load's core`);
  }
  if (loadBusy > MAX_LOAD_BUSY) {
    doubts.push("the load generator is near its limit");
  }
  if (doubts.length === 1 && saturation < MIN_SATURATION) {
    doubts.push("the number in flight is the limit");
  }
  return doubts.length === 0 ? "" : `  ${doubts.join("; ")}`;
}
