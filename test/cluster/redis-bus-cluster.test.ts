/** The bus through a Redis Cluster of three nodes. */

import { describe } from "node:test";
import { stateBusOver } from "../support/redis/bus-statements.js";
import { clusterForm } from "../support/redis/redis-fleets.js";

describe(`the bus over ${clusterForm.name}`, () => stateBusOver(clusterForm));
