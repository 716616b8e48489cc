/**
 * A server-side event with acknowledgement asks Redis how many servers there are. When that fails, the classic adapter
 * never calls the acknowledgement, and the sharded one ends the process by an unhandled rejection
 * (@socket.io/redis-adapter 8.3.0, socket.io-adapter 2.5.8). Here the acknowledgement gets the error.
 */

type Acknowledge = (error: unknown, responses: unknown[]) => void;

/** What the two adapters have; only the classic one has the second method. */
interface EmittingAdapter {
  serverSideEmit(packet: unknown[]): unknown;
  serverSideEmitWithAck?(packet: unknown[]): Promise<unknown>;
}

export function answerFailedRequests(stockAdapter: { serverSideEmit(packet: unknown[]): unknown }): void {
  // The second method is private.
  const adapter = stockAdapter as EmittingAdapter;
  const serverSideEmit = adapter.serverSideEmit.bind(adapter);
  const serverSideEmitWithAck = adapter.serverSideEmitWithAck?.bind(adapter);
  adapter.serverSideEmit = (packet) => {
    const acknowledge = packet.at(-1);
    if (typeof acknowledge !== "function") return serverSideEmit(packet);
    let isAcknowledged = false;
    const once: Acknowledge = (...args) => {
      isAcknowledged = true;
      (acknowledge as Acknowledge)(...args);
    };
    const asked = [...packet.slice(0, -1), once];
    const sent = async (): Promise<unknown> => await (serverSideEmitWithAck ?? serverSideEmit)(asked);
    return sent().catch((error: unknown) => {
      // Thrown by the application's own callback: it is not called a second time.
      if (isAcknowledged) throw error;
      once(error, []);
    });
  };
}
