/** Everything at once: Redis and Kafka, and the three services, each in a process of its own. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { backingServers, runService, Supervisor } from 'headpond-examples-shared'

await runService('jackpot', async (log) => {
  const data = process.env['DATA_DIR'] ?? fileURLToPath(new URL('../headpond-data/', import.meta.url))
  const servers = await backingServers(process.env, data, log)
  const supervisor = new Supervisor(log)
  const env = {
    WINS_PER_MINUTE: '60',
    DATABASE_URL: join(data, 'history.sqlite'),
    ...process.env,
    ...servers.env,
  }
  const start = (name: string, port: string) =>
    supervisor.start({
      name: `jackpot-${name}`,
      file: new URL(`./${name}/main.js`, import.meta.url),
      env: { ...env, PORT: port },
    })
  const [, , url] = await Promise.all([
    start('processor', process.env['PROCESSOR_PORT'] ?? '3001'),
    start('history', process.env['HISTORY_PORT'] ?? '3002'),
    start('monitor', process.env['MONITOR_PORT'] ?? '3003'),
  ])
  return {
    url,
    stop: async () => {
      await supervisor.stop()
      await servers.close()
    },
  }
})
