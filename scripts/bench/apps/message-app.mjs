// The application of the message scenarios: every side serves this same function, so that only the fabric differs.

/** @param {import("socket.io").Server} io */
export default (io) => {
  io.on("connection", (socket) => {
    socket.on("enter", async (room, answer) => {
      socket.data.room = room;
      await socket.join(room);
      answer();
    });
    socket.on("room", (payload) => io.to(socket.data.room).emit("m", payload));
    socket.on("dm", (id, payload) => io.to(id).emit("m", payload));
    socket.on("all", (payload) => io.emit("m", payload));
    socket.on("join", async (room, answer) => {
      await socket.join(room);
      answer();
    });
    socket.on("leave", async (room, answer) => {
      await socket.leave(room);
      answer();
    });
  });
};
