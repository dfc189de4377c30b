/** A server of this process that keeps its data in a directory of the test's own. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Config } from '#src/config/config.ts'
import type { DirectiveOptions } from '#src/config/sources.ts'
import type { OpenLogFile } from '#src/persistence/aof/log-file.ts'
import { ReplyError, type ReplyValue } from '#src/resp/decoder.ts'
import { LocalClient } from '#src/server/local-client.ts'
import { Server } from '#src/server/server.ts'

export class DataServer {
  readonly server: Server
  readonly client: LocalClient
  readonly log: string[]

  private constructor(server: Server, log: string[]) {
    this.server = server
    this.log = log
    this.client = new LocalClient(server.resp)
  }

  /** Rejects when the server does not start. */
  static async start(dir: string, options: DirectiveOptions = {}, openLogFile?: OpenLogFile): Promise<DataServer> {
    const config = Config.load({
      options: {
        port: 'auto',
        bind: ['127.0.0.1'],
        dir,
        save: '',
        appendonly: true,
        enableDebugCommand: 'yes',
        ...options,
      },
    })
    const lines: string[] = []
    const log = {
      info: (message: string) => void lines.push(message),
      warn: (message: string) => void lines.push(message),
      error: (_details: object, message: string) => void lines.push(message),
    }
    const parts = openLogFile === undefined ? {} : { openLogFile }
    const server = new Server({ config, log, firstArenaBytes: 2 ** 24, ...parts })
    await server.start()
    return new DataServer(server, lines)
  }

  /** A line of words. Errors come as text. */
  async ask(line: string): Promise<ReplyValue> {
    return this.askArgs(...line.split(' '))
  }

  async askArgs(...args: (string | Uint8Array)[]): Promise<ReplyValue> {
    try {
      return await this.client.execute(...args)
    } catch (error) {
      if (error instanceof ReplyError) return `-${error.message}`
      throw error
    }
  }

  async info(name: string): Promise<string | undefined> {
    return new RegExp(`^${name}:(.*)\r$`, 'm').exec(String(await this.ask('INFO persistence')))?.[1]
  }

  digest(): Promise<ReplyValue> {
    return this.ask('DEBUG DIGEST')
  }

  /** The rewrite that is in progress is over. */
  async rewritten(): Promise<void> {
    await this.server.persistence.snapshots.active?.snapshot.done
    await new Promise((resolve) => setImmediate(resolve))
    await this.server.persistence.aof.tidying
  }

  async stop(): Promise<void> {
    this.client.close()
    this.server.shutdown('default', true)
    await this.server.close()
  }
}

/** Runs a test in a directory of its own. */
export async function inDirectory(run: (dir: string) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'headpond-aof-'))
  try {
    await run(dir)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}
