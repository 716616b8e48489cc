/** Hosts and the bus between them keep the fabric's promises, whatever happens to them: thousands of random histories. */

import { testFleet } from "./fleet-tests.js";

testFleet({ name: "a fleet on virtual time", firstSeed: 1 });
