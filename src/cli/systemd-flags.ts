/** The flags of `signalbox systemd` besides the settings: the parser and the help are made from this table. Pure. */

export interface SystemdFlag {
  readonly name: string;
  /** Stands for the value; empty for a switch. */
  readonly placeholder: string;
  readonly meaning: string;
}

export const systemdFlags = [
  { name: "--name", placeholder: "NAME", meaning: "name of the units [signalbox]" },
  {
    name: "--template",
    placeholder: "",
    meaning:
      "units for several applications: NAME@chat runs /srv/chat/app.js with the settings of /etc/signalbox/chat.env, at " +
      "/run/NAME-chat.sock, as a user of its own",
  },
  { name: "--user", placeholder: "USER", meaning: "user that it runs as [one that systemd makes for it]" },
  {
    name: "--socket-group",
    placeholder: "GROUP",
    meaning: "group of a Unix socket (--listen), such as that of nginx [root]",
  },
  { name: "--node", placeholder: "PATH", meaning: "Node on the machine of the service [the one that runs this]" },
  { name: "--signalbox", placeholder: "DIR", meaning: "Signalbox on the machine of the service [this one]" },
  { name: "--out", placeholder: "DIR", meaning: "write the files into this directory [print them]" },
  {
    name: "--check",
    placeholder: "",
    meaning: "have the systemd installed here look at the units first, and say what it thinks of their exposure",
  },
] as const satisfies readonly SystemdFlag[];

export type SystemdFlagName = (typeof systemdFlags)[number]["name"];
