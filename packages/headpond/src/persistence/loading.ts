/** What is being loaded at the start, for those who ask meanwhile. */
export class Loading {
  isActive = false
  startedAtMs = 0
  totalBytes = 0
  loadedBytes = 0
  /** What the writer of the file used in memory, as it says. */
  writerUsedBytes = 0
  onChange: () => void = () => {}

  begin(nowMs: number, totalBytes: number): void {
    this.isActive = true
    this.startedAtMs = nowMs
    this.totalBytes = totalBytes
    this.loadedBytes = 0
    this.writerUsedBytes = 0
    this.onChange()
  }

  end(): void {
    this.isActive = false
    this.onChange()
  }

  get percent(): number {
    return this.totalBytes === 0 ? 0 : Math.min(100, (this.loadedBytes / this.totalBytes) * 100)
  }

  /** As Redis estimates: at the speed until now. */
  secondsLeft(nowMs: number): number {
    const elapsedSeconds = Math.floor((nowMs - this.startedAtMs) / 1000)
    if (this.loadedBytes === 0 || elapsedSeconds === 0) return 1
    return Math.floor((elapsedSeconds * (this.totalBytes - this.loadedBytes)) / this.loadedBytes)
  }
}
