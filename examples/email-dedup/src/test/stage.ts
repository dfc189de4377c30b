/** The example as its users run it: the endpoint and mailers in processes of their own, against a server whose clock is ours. */
import { createServer, type HeadpondServer } from 'headpond'
import { ServiceProcess } from 'headpond-examples-shared'
import { EMAILS_TOPIC, GROUP } from '../queue.ts'
import { SmtpSink } from '../smtp-sink.ts'

export const EMAIL = { to: 'ada@example.com', subject: 'Your order', text: 'It is on its way.' }

export interface Answer {
  readonly status: number
  readonly id: string
  readonly body: Record<string, unknown>
}

export class Stage {
  readonly server: HeadpondServer
  readonly sink: SmtpSink
  readonly #env: Record<string, string>
  readonly #processes: ServiceProcess[] = []
  #url = ''

  private constructor(server: HeadpondServer, sink: SmtpSink, env: Record<string, string>) {
    this.server = server
    this.sink = sink
    this.#env = env
  }

  static async set(): Promise<Stage> {
    const server = await createServer({ kafka: { topics: { [EMAILS_TOPIC.name]: EMAILS_TOPIC.partitionCount } } })
    const sink = new SmtpSink()
    const SMTP_URL = await sink.listen()
    const { REDIS_URL, KAFKA_BROKERS } = server.env
    return new Stage(server, sink, { SMTP_URL, REDIS_URL: REDIS_URL!, KAFKA_BROKERS: KAFKA_BROKERS!, PORT: '0' })
  }

  async startApi(): Promise<ServiceProcess> {
    const api = await this.#start('api')
    this.#url = api.url
    return api
  }

  startMailer(): Promise<ServiceProcess> {
    return this.#start('mailer')
  }

  async #start(name: string): Promise<ServiceProcess> {
    const service = await ServiceProcess.start(new URL(`../${name}.js`, import.meta.url), this.#env, { isQuiet: true })
    this.#processes.push(service)
    return service
  }

  async post(email: unknown): Promise<Answer> {
    const response = await fetch(`${this.#url}/emails`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(email),
    })
    const body = (await response.json()) as Record<string, unknown>
    return { status: response.status, id: String(body['id']), body }
  }

  async statusOf(id: string): Promise<unknown> {
    const response = await fetch(`${this.#url}/emails/${id}`)
    return ((await response.json()) as Record<string, unknown>)['status']
  }

  /** As a client does that is told to come again. */
  async postUntilTaken(email: unknown): Promise<Answer> {
    for (;;) {
      const answer = await this.post(email)
      if (answer.status !== 409 && answer.status !== 503) return answer
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }

  /** Everything in the queue is done with. */
  async drained(): Promise<void> {
    await this.server.kafka.waitForGroup(GROUP, { lag: 0, timeoutMs: 60_000 })
  }

  /** Time in which a dead mailer is missed by its group, and its claim ends. */
  forgetTheDead(): void {
    this.server.clock.advance('31s')
  }

  async strike(): Promise<void> {
    for (const service of this.#processes) if (!service.hasEnded) await service.end('SIGKILL')
    await this.sink.close()
    await this.server.close()
  }
}

/** For what has no event: looks again in the next turns of the event loop. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 2))
}
