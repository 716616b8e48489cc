/** What an error of a Redis connection says, in words for the log. Pure. */

/** One line without secrets: of ioredis's errors the message is taken, and not the command, which may be a login. */
export function describeConnectionFault(error: unknown): string {
  // A host name with several addresses fails with one error for each, and no message of its own.
  if (error instanceof AggregateError && error.errors.length > 0) return describeConnectionFault(error.errors[0]);
  return error instanceof Error ? error.message : "the connection failed";
}

/** Whether Redis was reached and said no: a wrong password, a missing right. */
export function isRedisAnswer(error: unknown): boolean {
  return error instanceof Error && error.name === "ReplyError";
}
