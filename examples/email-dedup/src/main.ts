/** Everything at once: Redis and Kafka, a mail server that counts, the endpoint and a mailer. */
import { fileURLToPath } from 'node:url'
import { backingServers, type Logger, runService, Supervisor } from 'headpond-examples-shared'
import { SmtpSink } from './smtp-sink.ts'

await runService('email-dedup', async (log) => {
  const data = process.env['DATA_DIR'] ?? fileURLToPath(new URL('../headpond-data/', import.meta.url))
  const servers = await backingServers(process.env, data, log)
  const sink = process.env['SMTP_URL'] ? undefined : await countingSink(log)
  const SMTP_URL = process.env['SMTP_URL'] || sink!.url

  const supervisor = new Supervisor(log)
  const env = { ...servers.env, SMTP_URL }
  const file = (name: string) => new URL(`./${name}.js`, import.meta.url)
  const [url] = await Promise.all([
    supervisor.start({ name: 'api', file: file('api'), env: { PORT: '3000', ...process.env, ...env } }),
    supervisor.start({ name: 'mailer', file: file('mailer'), env }),
  ])
  return {
    url,
    stop: async () => {
      await supervisor.stop()
      await sink?.close()
      await servers.close()
    },
  }
})

/** The fake mail server, which tells what it has counted. */
async function countingSink(log: Logger): Promise<{ url: string; close: () => Promise<void> }> {
  const sink = new SmtpSink()
  sink.beforeAnswer = async (id) => {
    log.info({ id, taken: sink.takenCount, delivered: sink.deliveredCount }, 'fake mail server')
  }
  return { url: await sink.listen(), close: () => sink.close() }
}
