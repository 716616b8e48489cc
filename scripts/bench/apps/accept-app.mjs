// The application of the accept scenario: every side serves this same function, so that only the way to it differs.

/** @param {import("socket.io").Server} io */
export default (io) => {
  io.on("connection", (socket) => {
    socket.on("echo", (value, answer) => answer(value));
  });
};
