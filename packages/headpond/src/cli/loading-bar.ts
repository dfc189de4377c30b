import type { Persistence } from '../persistence/persistence.ts'

const WIDTH = 30
const INTERVAL_MS = 100
/** What is loaded faster than this is not worth a bar. */
const SILENT_MS = 300

/** Shows on the terminal how far loading has come, in one line that is gone afterwards. */
export function showLoading(persistence: Persistence): void {
  const { loading } = persistence
  const startedMs = performance.now()
  let shownMs = startedMs + SILENT_MS - INTERVAL_MS
  let isShown = false
  persistence.onProgress = () => {
    const nowMs = performance.now()
    const isDone = loading.loadedBytes >= loading.totalBytes
    if (isDone && isShown) process.stdout.write('\r\x1b[K')
    if (isDone || nowMs - shownMs < INTERVAL_MS) return
    shownMs = nowMs
    isShown = true
    process.stdout.write(`\r${loadingLine(loading.loadedBytes, loading.totalBytes, nowMs - startedMs)}\x1b[K`)
  }
}

/** `loading [=====>     ]  42 %  1.2 of 2.8 GB, 3 s left` */
export function loadingLine(loadedBytes: number, totalBytes: number, elapsedMs: number, verb = 'loading'): string {
  const share = totalBytes === 0 ? 1 : Math.min(1, loadedBytes / totalBytes)
  const full = Math.floor(share * WIDTH)
  const bar = `${'='.repeat(full)}${full < WIDTH ? '>' : ''}`.padEnd(WIDTH)
  const leftSeconds = share === 0 ? 0 : Math.ceil((elapsedMs * (1 - share)) / share / 1000)
  const [unit, divisor] = totalBytes >= 2 ** 30 ? ['GB', 2 ** 30] : ['MB', 2 ** 20]
  const amount = (bytes: number) => (bytes / Number(divisor)).toFixed(1)
  const percent = String(Math.floor(share * 100)).padStart(3)
  return `${verb} [${bar}] ${percent} %  ${amount(loadedBytes)} of ${amount(totalBytes)} ${unit}, ${leftSeconds} s left`
}
