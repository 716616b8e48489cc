// What each message scenario sends, to whom, and how much of it may be under way; pure.
import { shuffle } from "../shared/random.mjs";
import { FrameTemplate, SEQUENCE_PLACEHOLDER } from "./frames.mjs";
import { makeBoard, makeText } from "./payloads.mjs";

const ROOM_MEMBERS = 4;
const PRESENCE_ROOMS = 1_000;
const PRESENCE_HELD = 4; // rooms a client is in at once: so few that a room is mostly somebody's first or last on its worker

/**
 * `outstanding`: deliveries under way at most. `sequenceStart`: where in an event's payload the sequence number is.
 * `place(count, random)`: each client's target (whom it is reached with) and place in it, and its room.
 * `createSender(clients, random)`: answers a function that sends one message: picks the sending client, opens the message in the
 * tracker, and gives the frame to the client.
 */
export const WORKLOADS = {
  room: {
    summary: "to a room of 4 members, 100 bytes",
    unit: "messages",
    clients: 400,
    outstanding: 3_000,
    sequenceStart: '42["m","'.length,
    place: placeInRooms,
    createSender: (clients, random) => sendToRoom(clients, random, JSON.stringify(makeText())),
  },
  dm: {
    summary: "to one socket id anywhere, 100 bytes",
    unit: "messages",
    clients: 400,
    outstanding: 3_000,
    sequenceStart: '42["m","'.length,
    place: placeAlone,
    createSender(clients, random) {
      const text = JSON.stringify(makeText());
      const templates = clients.map(
        ({ socketId }) => new FrameTemplate(`42["dm",${JSON.stringify(socketId)},${text}]`),
      );
      return (tracker, sentMs) => {
        const target = random(clients.length);
        clients[random(clients.length)].post(templates[target], tracker.send(target, 1, sentMs));
      };
    },
  },
  all: {
    summary: "to all 100 clients, 100 bytes",
    unit: "messages",
    clients: 100,
    outstanding: 3_000,
    sequenceStart: '42["m","'.length,
    place: (count) => Array.from({ length: count }, (_, i) => ({ target: 0, place: i, receivers: count })),
    createSender(clients, random) {
      const template = new FrameTemplate(`42["all",${JSON.stringify(makeText())}]`);
      return (tracker, sentMs) =>
        clients[random(clients.length)].post(template, tracker.send(0, clients.length, sentMs));
    },
  },
  "room-7k": {
    summary: "to a room of 4 members, 7 KB of JSON",
    unit: "messages",
    clients: 200,
    outstanding: 300,
    sequenceStart: '42["m",{"sequence":'.length,
    place: placeInRooms,
    createSender: (clients, random) => sendToRoom(clients, random, JSON.stringify(makeBoard())),
  },
  presence: {
    summary: `join and leave, ${PRESENCE_ROOMS.toLocaleString("en")} rooms, answered once awaited`,
    unit: "joins and leaves",
    clients: 400,
    outstanding: 1_000,
    sequenceStart: 0, // no events: the answer's id is the sequence number
    place: placeAlone,
    createSender: churnRooms,
  },
};

/** Rooms of four, their members drawn from all clients and so from all workers. */
function placeInRooms(count, random) {
  const places = new Array(count);
  shuffle([...places.keys()], random).forEach((client, i) => {
    const room = Math.floor(i / ROOM_MEMBERS);
    const receivers = Math.min(ROOM_MEMBERS, count - room * ROOM_MEMBERS);
    places[client] = { target: room, place: i % ROOM_MEMBERS, receivers, room: `room-${room}` };
  });
  return places;
}

/** Each client is a target of its own. */
function placeAlone(count) {
  return Array.from({ length: count }, (_, i) => ({ target: i, place: 0, receivers: 1 }));
}

function sendToRoom(clients, random, payload) {
  const template = new FrameTemplate(`42["room",${payload}]`);
  return (tracker, sentMs) => {
    const client = clients[random(clients.length)];
    client.post(template, tracker.send(client.target, client.receivers, sentMs));
  };
}

/** Clients in turn: each joins a room drawn at random and then leaves the one it has held for longest. */
function churnRooms(clients, random) {
  const frames = (event) =>
    Array.from(
      { length: PRESENCE_ROOMS },
      (_, i) => new FrameTemplate(`42${SEQUENCE_PLACEHOLDER}["${event}","p-${i}"]`),
    );
  const joins = frames("join");
  const leaves = frames("leave");
  const held = clients.map(() => []);
  let turn = 0;
  return (tracker, sentMs) => {
    const index = turn++ % clients.length;
    const rooms = held[index];
    const sequence = tracker.send(index, 1, sentMs);
    if (rooms.length > PRESENCE_HELD) {
      clients[index].post(leaves[rooms.shift()], sequence);
      return;
    }
    let room = random(PRESENCE_ROOMS);
    while (rooms.includes(room)) {
      room = random(PRESENCE_ROOMS);
    }
    rooms.push(room);
    clients[index].post(joins[room], sequence);
  };
}
