import { once } from 'node:events'
import { connect, createServer } from 'node:net'

/**
 * Below those that systems give to outgoing connections (Linux from 32768 on, others from 49152): none of these takes the port
 * away before the program listens.
 */
const PORT_MIN = 10_240
const PORT_MAX = 32_767
const given = new Set<number>()

/** A port of the loopback on which nobody listens now: for a program that cannot say which one it has taken. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = PORT_MIN + Math.floor(Math.random() * (PORT_MAX - PORT_MIN + 1))
    if (given.has(port) || !(await canListen(port))) continue
    given.add(port)
    return port
  }
}

async function canListen(port: number): Promise<boolean> {
  const probe = createServer().listen(port, '127.0.0.1')
  try {
    await once(probe, 'listening')
  } catch {
    return false
  }
  probe.close()
  await once(probe, 'close')
  return true
}

/** Whether somebody listens there now. */
export async function isListening(port: number): Promise<boolean> {
  const probe = connect(port, '127.0.0.1')
  try {
    await once(probe, 'connect')
    return true
  } catch {
    return false
  } finally {
    probe.destroy()
  }
}
