/** The services as their users run them, in processes of their own, on an embedded server. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer, type HeadpondServer } from 'headpond'
import { ServiceProcess } from 'headpond-examples-shared'
import type { Overview } from '../monitor/leaderboard.ts'
import { WINS_TOPIC } from '../topic.ts'
import { decodeWin, type ReportedWin, type Win } from '../win.ts'

export type ServiceName = 'processor' | 'history' | 'monitor'

export class Stage {
  readonly server: HeadpondServer
  /** Of the history. */
  readonly databaseFile: string
  readonly #directory: string
  readonly #processes: ServiceProcess[] = []
  readonly #ports = new Map<ServiceName, string>()

  private constructor(server: HeadpondServer, directory: string) {
    this.server = server
    this.#directory = directory
    this.databaseFile = join(directory, 'history.sqlite')
  }

  static async set(): Promise<Stage> {
    const server = await createServer({ kafka: { topics: { [WINS_TOPIC.name]: WINS_TOPIC.partitionCount } } })
    return new Stage(server, mkdtempSync(join(tmpdir(), 'jackpot-')))
  }

  /** Starts a service, at the address that it had before unless PORT says otherwise. */
  async start(name: ServiceName, env: Record<string, string> = {}): Promise<ServiceProcess> {
    const { REDIS_URL, KAFKA_BROKERS } = this.server.env
    const service = await ServiceProcess.start(
      new URL(`../${name}/main.js`, import.meta.url),
      { REDIS_URL, KAFKA_BROKERS, DATABASE_URL: this.databaseFile, PORT: this.#ports.get(name) ?? '0', ...env },
      { isQuiet: true },
    )
    this.#processes.push(service)
    this.#ports.set(name, new URL(service.url).port)
    return service
  }

  /** Kills a service; by the clock, its group has missed it when this resolves. */
  async kill(service: ServiceProcess): Promise<void> {
    await service.end('SIGKILL')
    this.server.clock.advance('11s')
  }

  url(name: ServiceName, path = ''): string {
    return `http://127.0.0.1:${this.#ports.get(name)}${path}`
  }

  async get<T>(name: ServiceName, path: string): Promise<T> {
    const response = await fetch(this.url(name, path))
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    return (await response.json()) as T
  }

  async report(win: unknown): Promise<{ status: number; body: unknown }> {
    const response = await fetch(this.url('processor', '/wins'), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(win),
    })
    return { status: response.status, body: await response.json() }
  }

  /** Has a service read everything that is in the topic? */
  async caughtUp(name: 'history' | 'monitor'): Promise<void> {
    await this.server.kafka.waitForGroup(`jackpot-${name}`, { lag: 0, timeoutMs: 60_000 })
  }

  /** What is in the topic. */
  async wins(): Promise<Win[]> {
    const records = await this.server.kafka.records(WINS_TOPIC.name)
    return records.map(({ value }) => decodeWin(value!)!)
  }

  stored(): Promise<Win[]> {
    return this.get('history', '/wins?limit=1000')
  }

  overview(): Promise<Overview> {
    return this.get('monitor', '/leaderboard')
  }

  async strike(): Promise<void> {
    for (const service of this.#processes) if (!service.hasEnded) await service.end('SIGKILL')
    await this.server.close()
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

/** Puts wins into the topic, without a processor. */
export async function produceWins(server: HeadpondServer, countFrom: number, count: number): Promise<void> {
  const wins = Array.from({ length: count }, (_, index) => winOf(countFrom + index))
  await server.kafka.produce(
    WINS_TOPIC.name,
    wins.map((win) => ({ key: win.player, value: JSON.stringify(win) })),
  )
}

export function winOf(number: number): Win {
  const reported: ReportedWin = { player: `player-${number % 7}`, game: 'Slots', amountCents: 100 + number }
  return { id: `win-${number}`, ...reported, wonAtMs: 1_700_000_000_000 + number }
}

/** As the leaderboard should be. */
export function standingsOf(wins: readonly Win[]): { player: string; amountCents: number }[] {
  const sums = new Map<string, number>()
  for (const { player, amountCents } of wins) sums.set(player, (sums.get(player) ?? 0) + amountCents)
  return [...sums]
    .map(([player, amountCents]) => ({ player, amountCents }))
    .sort((a, b) => b.amountCents - a.amountCents || (a.player < b.player ? 1 : -1))
}

export function byId(wins: readonly Win[]): Win[] {
  return wins.toSorted((a, b) => (a.id < b.id ? -1 : 1))
}
