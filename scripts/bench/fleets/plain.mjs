// Yardstick "plain": the application in one Socket.IO process, without any layer before it.
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";
import { Server } from "socket.io";

const { default: startApplication } = await import(pathToFileURL(process.env.BENCH_APP).href);
const httpServer = createServer();
startApplication(new Server(httpServer));
httpServer.listen(Number(process.env.BENCH_PORT), "127.0.0.1");
