// What the hosts scenario sends through how many hosts, and how many times the better stock adapter's capacity it must reach; pure.

/** `workload`: one of the message scenarios. */
export const LOADS = {
  "2x2-room": { hosts: 2, workers: 2, workload: "room", leastRatio: 1.6 },
  "2x2-dm": { hosts: 2, workers: 2, workload: "dm", leastRatio: 2.3 },
  "4x4-room": { hosts: 4, workers: 4, workload: "room", leastRatio: 1.4 },
  "4x4-dm": { hosts: 4, workers: 4, workload: "dm", leastRatio: 5 },
  "2x4-all": { hosts: 2, workers: 4, workload: "all", leastRatio: 1.05 },
  "2x2-room-7k": { hosts: 2, workers: 2, workload: "room-7k", leastRatio: 2.1 },
};
