import { type Logger, serviceLog } from './log.ts'

/** What a service gives back when it has started. */
export interface RunningService {
  /** Where it can be reached, if anywhere. */
  readonly url?: string
  /** Finishes what is in hand, then lets go of everything. */
  stop(): Promise<void>
}

const STOP_TIMEOUT_MS = 20_000

/**
 * The life of a process: starts a service, tells its parent that it is ready, and stops it at SIGTERM, SIGINT, or when the
 * parent is gone. `fail` ends it at once with exit code 1: whatever watches over it starts it again.
 */
export async function runService(
  name: string,
  start: (log: Logger, fail: (error: unknown) => void) => Promise<RunningService>,
): Promise<void> {
  const log = serviceLog(name)
  const fail = (error: unknown) => {
    log.fatal({ err: error }, 'failed')
    process.exit(1)
  }
  process.on('uncaughtException', fail)

  let isStopping = false
  const stop = async (reason: string) => {
    if (isStopping) return
    isStopping = true
    log.info({ reason }, 'stopping')
    setTimeout(() => fail(new Error(`not stopped after ${STOP_TIMEOUT_MS} ms`)), STOP_TIMEOUT_MS).unref()
    // What is half started is started first: only then is it known what there is to stop.
    await (await starting).stop()
    log.info('stopped')
    process.exit(0)
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop(signal).catch(fail))
  process.on('disconnect', () => stop('parent ended').catch(fail))

  const starting = start(log, fail)
  try {
    const { url } = await starting
    log.info(url === undefined ? {} : { url }, 'ready')
    // The parent may be gone already.
    if (process.connected) process.send?.({ url }, () => {})
  } catch (error) {
    fail(error)
  }
}
