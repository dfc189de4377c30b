import { readFileSync } from 'node:fs'
import type { ConnectionOptions } from 'node:tls'
import { systemWords } from '../net/remote-socket.ts'

/** Flags that name a file of certificates or a key, with what TLS calls it. */
export type TlsFileFlags = readonly (readonly [flag: string, option: 'ca' | 'cert' | 'key'])[]

/**
 * What the flags of a client ask of TLS.
 * @param textOf the value of a flag that was given
 * @param refuse makes the command's own error, which is thrown, of a file that cannot be read
 */
export function tlsOptions(
  fileFlags: TlsFileFlags,
  textOf: (flag: string) => string | undefined,
  refuse: (message: string) => Error,
): ConnectionOptions {
  const options: ConnectionOptions = textOf('--insecure') === undefined ? {} : { rejectUnauthorized: false }
  for (const [flag, option] of fileFlags) {
    const path = textOf(flag)
    if (path === undefined) continue
    try {
      options[option] = readFileSync(path)
    } catch (error) {
      throw refuse(`${flag} ${path}: ${systemWords(error)}`)
    }
  }
  return options
}
