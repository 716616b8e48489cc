/** The bus through a master that a Sentinel names. */

import { describe } from "node:test";
import { stateBusOver } from "../support/redis/bus-statements.js";
import { sentinelForm } from "../support/redis/redis-fleets.js";

describe(`the bus over ${sentinelForm.name}`, () => stateBusOver(sentinelForm));
