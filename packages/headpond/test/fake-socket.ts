import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'

/** A socket without a network, for tests that need a million connections: whatever is written counts as sent. */
export class FakeSocket extends EventEmitter {
  readonly writableLength = 0
  readonly sent: Buffer[] = []
  isDestroyed = false

  /** As the type that connections take. */
  static create(): FakeSocket & Socket {
    return new FakeSocket() as FakeSocket & Socket
  }

  write(bytes: Uint8Array): boolean {
    this.sent.push(Buffer.from(bytes))
    return true
  }

  end(onSent?: () => void): this {
    onSent?.()
    return this
  }

  destroySoon(): void {
    this.destroy()
  }

  destroy(): this {
    if (this.isDestroyed) return this
    this.isDestroyed = true
    this.emit('close')
    return this
  }

  pause(): this {
    return this
  }

  resume(): this {
    return this
  }

  cork(): void {}

  uncork(): void {}

  /** What was sent so far, as text of one character for each byte. */
  get text(): string {
    return Buffer.concat(this.sent).toString('latin1')
  }
}
