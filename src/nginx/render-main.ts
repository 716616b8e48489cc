/** A whole nginx.conf around a site, for an nginx without privileges that keeps everything in one directory. Pure. */

const temporaryKinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];

/** nginx is to be started with `-p` and `-e stderr`: every path in this text is relative to that prefix. */
export function renderMain(site: string): string {
  const paths = temporaryKinds.map((kind) => `    ${kind}_temp_path ${kind};`);
  return `# One process, which ends with the one that has started it.
daemon off;
master_process off;
pid nginx.pid;
error_log stderr notice;
events {
    worker_connections 4096;
}
http {
${paths.join("\n")}
${site}}
`;
}
