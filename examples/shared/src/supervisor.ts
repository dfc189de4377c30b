import type { Environment } from './environment.ts'
import type { Logger } from './log.ts'
import { ServiceProcess } from './service-process.ts'

export interface ServicePlan {
  readonly name: string
  readonly file: URL
  readonly env: Environment
}

const RESTART_DELAY_MS = 1_000

/** Starts services as processes of their own, and starts those again that end by themselves. */
export class Supervisor {
  readonly #log: Logger
  readonly #running = new Set<ServiceProcess>()
  readonly #delays = new Set<NodeJS.Timeout>()
  #isStopping = false

  constructor(log: Logger) {
    this.#log = log
  }

  /** Resolves to the service's address when it is ready. */
  async start(plan: ServicePlan): Promise<string> {
    const service = await ServiceProcess.start(plan.file, plan.env)
    this.#running.add(service)
    void service.ended().then(() => {
      this.#running.delete(service)
      // A service keeps its address, so that whoever talks to it finds it again.
      const port = service.url === '' ? {} : { PORT: new URL(service.url).port }
      this.#restartLater({ ...plan, env: { ...plan.env, ...port } })
    })
    if (this.#isStopping) await service.end('SIGTERM')
    return service.url
  }

  /** In the order in which they were started: what takes work in goes first. */
  async stop(): Promise<void> {
    this.#isStopping = true
    for (const delay of this.#delays) clearTimeout(delay)
    for (const service of this.#running) await service.end('SIGTERM')
  }

  #restartLater(plan: ServicePlan): void {
    if (this.#isStopping) return
    this.#log.warn({ service: plan.name }, 'ended; starting it again')
    const delay = setTimeout(() => {
      this.#delays.delete(delay)
      this.start(plan).catch((error) => {
        this.#log.error({ service: plan.name, err: error }, 'did not start')
        this.#restartLater(plan)
      })
    }, RESTART_DELAY_MS)
    this.#delays.add(delay)
  }
}
