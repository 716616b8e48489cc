/** The same as fleet.test.ts with a bus that loses, doubles and reorders messages: in even seeds it does. */

import { testFleet } from "./fleet-tests.js";

testFleet({ name: "a fleet on virtual time, over a bus that loses much", firstSeed: 2 });
