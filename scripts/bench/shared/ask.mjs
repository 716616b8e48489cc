// One question to a child process over IPC and its answer.

/** Sends a message to a process and resolves with its next answer of that type. */
export function ask({ name, child }, message, answerType) {
  return new Promise((resolve, reject) => {
    const settle = () => {
      child.off("message", listen);
      child.off("exit", giveUp);
    };
    const listen = (answer) => {
      if (answer.type === answerType) {
        settle();
        resolve(answer);
      } else if (answer.type === "failed") {
        settle();
        reject(new Error(`${name}: ${answer.reason}`));
      }
    };
    const giveUp = () => {
      settle();
      reject(new Error(`${name} ended before it answered`));
    };
    child.on("message", listen);
    child.on("exit", giveUp);
    child.send(message, (error) => {
      if (error) {
        giveUp(); // its end has closed the channel and will be told, or was told before
      }
    });
  });
}
