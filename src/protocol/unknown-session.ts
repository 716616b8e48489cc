/** Engine.IO's answer to a session id it does not know (engine.io 6.6, `server.js`, `abortRequest`), for those who give it in its place. */

export const unknownSessionBody = '{"code":1,"message":"Session ID unknown"}';
