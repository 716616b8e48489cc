/** Passes on what comes over a link: to the workers of this host and the other hosts of the region, never to a region. Pure. */

import { isEmitterRequest } from "../../protocol/emitter-frame.js";
import { commands, readCommand } from "../../protocol/exchange-frames.js";
import { FrameError, frameKinds } from "../../protocol/frame.js";
import { findInnerOf } from "../../protocol/regional-frame.js";
import { RoutedView } from "../../protocol/routed-frame.js";
import { decodeRouterToWorker, readFrameKind } from "../../protocol/worker-port-frames.js";
import type { Delivery } from "../delivery.js";
import type { Forwarding } from "../forwarding.js";
import type { HostBus } from "../host-bus/host-bus.js";
import type { RequestRelay } from "../request-relay.js";
import type { InboundLink } from "./inbound-links.js";

export interface RegionTrafficParts {
  readonly forwarding: Forwarding;
  readonly delivery: Delivery;
  readonly relay: RequestRelay;
  bus(): HostBus | undefined;
}

export class RegionTraffic {
  readonly #parts: RegionTrafficParts;
  readonly #view = new RoutedView();

  constructor(parts: RegionTrafficParts) {
    this.#parts = parts;
  }

  /** @throws FrameError for what a region does not send */
  take(from: InboundLink, frame: Buffer, nowMs: number): void {
    if (readFrameKind(frame, 0) !== frameKinds.regional) {
      throw new FrameError("unknown-kind", "a frame of a kind that a region does not send");
    }
    const innerStart = findInnerOf(from.incarnation, frame, 0, frame.length);
    const { relay, forwarding } = this.#parts;
    const end = frame.length;
    switch (readFrameKind(frame, innerStart)) {
      case frameKinds.broadcast:
      case frameKinds.command:
      case frameKinds.emitter:
        this.#passOn(from, frame, innerStart, nowMs);
        break;
      case frameKinds.request:
        // One that waits is a question: when this router ends, its asker hears of that.
        if (relay.take("region", frame, 0, end, nowMs)) {
          from.gate.note(forwarding.targetWorkers, forwarding.targetHosts);
        }
        break;
      case frameKinds.routedAt:
        // Checked here: a worker that cannot read it would leave this router.
        decodeRouterToWorker(frame, innerStart, end);
        relay.answer(frame, 0, end, "region", nowMs);
        break;
      case frameKinds.response:
        relay.answer(frame, 0, end, "region", nowMs);
        break;
      default:
        throw new FrameError("unknown-kind", "a frame of a kind that a worker of a region does not send");
    }
  }

  #passOn(from: InboundLink, frame: Buffer, innerStart: number, nowMs: number): void {
    const { forwarding, delivery } = this.#parts;
    const bus = this.#parts.bus();
    const view = this.#view;
    view.read(frame, innerStart, frame.length);
    const targets = forwarding.findTargets(view, "region");
    const hosts = forwarding.targetHosts;
    const isJoin =
      view.kind === frameKinds.command && readCommand(frame, view.bodyStart, view.end) === commands.socketsJoin;
    if (isJoin) {
      forwarding.expectJoins(view, targets, hosts);
      for (const port of targets) if (port.outbox.untoldLoss === 0) from.joins.note(port, port.joinsSent);
      for (const host of hosts) from.joins.note(host, host.joinsSent);
    } else if (view.kind === frameKinds.emitter && isEmitterRequest(frame, view.bodyStart)) {
      forwarding.expectAnyJoin(targets);
    }
    delivery.send(targets, frame, 0, frame.length);
    bus?.send(hosts, frame, 0, frame.length, nowMs);
    if (isJoin) for (const host of hosts) bus?.tellHost(host, { type: "join-mark", number: host.joinsSent }, nowMs);
    from.gate.note(targets, hosts);
  }
}
