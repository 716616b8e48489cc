/** Says in the words of an operator why a region could not be dialled: what answered in place of a link, and what to do about it. Pure. */

/** Of OpenSSL's verification, as Node names them (tls, "X509 certificate error codes"): nobody that is trusted here has signed it. */
const unknownAuthority = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
]);

const certificateWanted =
  "a proxy that wants a client certificate says that of none, or of one that it does not trust: set linkCertificate and linkKey";

/** What a host of Signalbox, or a proxy in front of it, means by a status. */
const hints: Readonly<Record<number, string>> = {
  400: certificateWanted,
  403: certificateWanted,
  404: "no links are taken there: look at the path of the URL, at linkListen of that region, and at --link of signalbox nginx",
  429: "it has been refused too often from this address, and has to wait",
  502: "the proxy there reaches no host",
  503: "its hosts take no links now",
};

/** What the connection ended with. */
export function explainDialError(error: Error & { readonly code?: unknown }): string {
  const { code, message } = error;
  if (typeof code === "string" && unknownAuthority.has(code)) {
    return `its certificate is of no authority that is trusted here (${message}): name that authority with linkCa`;
  }
  // A server that closes for want of a certificate says so in an alert (RFC 8446, 6.2), in OpenSSL's words.
  if (/alert certificate required|alert bad certificate|alert handshake failure|alert unknown ca/.test(message)) {
    return `it does not take the certificate of this host, or wants one (${readAlert(message)}): set linkCertificate and linkKey`;
  }
  return message;
}

/** What the other end has said, for a log and a terminal: without characters that would do something there. */
export function makePrintable(text: string): string {
  return text.replace(/[\p{C}]/gu, "?");
}

/** `…:error:0A00045C:SSL routines:ssl3_read_bytes:tlsv13 alert certificate required:../deps/…` */
function readAlert(message: string): string {
  return /(?:alert [a-z ]+)/.exec(message)?.[0] ?? message;
}

/** What was answered to the request for a WebSocket. @param statusText as the other end has sent it */
export function explainDialAnswer(status: number, statusText: string): string {
  const hint = hints[status];
  const answer = `HTTP ${status} ${makePrintable(statusText.slice(0, 60))}`.trim();
  return `it answered ${answer} in place of a link${hint === undefined ? "" : `; ${hint}`}`;
}
