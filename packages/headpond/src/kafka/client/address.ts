export interface BrokerAddress {
  readonly host: string
  readonly port: number
}

const DEFAULT_PORT = 9092

/** `host`, `host:port`, `[::1]:port`, also behind `kafka://` or the name of a listener; undefined for anything else. */
export function parseAddress(text: string): BrokerAddress | undefined {
  const match = /^(?:[A-Za-z_]+:\/\/)?(?:\[([0-9a-fA-F:.%\w]+)\]|([^\s:[\]/]+))(?::(\d{1,5}))?$/.exec(text.trim())
  if (match === null) return undefined
  const port = match[3] === undefined ? DEFAULT_PORT : Number(match[3])
  return port >= 1 && port <= 65_535 ? { host: match[1] ?? match[2], port } : undefined
}

export function addressText({ host, port }: BrokerAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}
