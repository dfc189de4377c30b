/** The client at a terminal: what a person types and sees. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { createServer, type HeadpondServer } from '#src/index.ts'
import { CTRL_C, CTRL_D, CTRL_U, END, LEFT, TAB, Terminal, UP } from './terminal.ts'

let server: HeadpondServer
let directory: string
let historyFile: string

before(async () => {
  server = await createServer()
  directory = mkdtempSync(join(tmpdir(), 'headpond-repl-'))
})

after(async () => {
  await server.close()
  rmSync(directory, { recursive: true, force: true })
})

beforeEach(async () => {
  await server.reset()
  historyFile = join(directory, `history-${Math.random()}`)
})

/** A terminal with its first prompt. */
async function open(args: readonly string[] = [], state = ''): Promise<Terminal> {
  const terminal = new Terminal(['-p', String(server.port), ...args], { HEADPOND_HISTFILE: historyFile })
  await terminal.untilLine(prompt(state))
  return terminal
}

function prompt(state = ''): string {
  return `127.0.0.1:${server.port}${state}>`
}

/** Types a line, waits for the next prompt, and gives what came between. */
async function answer(terminal: Terminal, line: string, state = ''): Promise<string[]> {
  const from = terminal.screen.lines.length
  terminal.type(`${line}\r`)
  await terminal.until(({ lines, line: last }) => lines.length > from && last === prompt(state))
  // A busy machine takes its time, which is told.
  return terminal.screen.lines.slice(from, -1).filter((shown) => !/^\(\d+\.\d\ds\)$/.test(shown))
}

async function quit(terminal: Terminal): Promise<void> {
  terminal.type(CTRL_D)
  assert.equal(await terminal.ended(), 0)
}

/** The hints need what the server tells of its commands, which comes in the background. */
async function untilHints(terminal: Terminal): Promise<void> {
  terminal.type('PING')
  for (;;) {
    terminal.type(` ${LEFT}${END}`)
    await new Promise(setImmediate)
    if (terminal.screen.line.endsWith('[message]')) break
    terminal.type('\x7f')
  }
  terminal.type(CTRL_U)
  await terminal.untilLine(prompt())
}

test('commands are answered, and the prompt tells of database and transaction', async () => {
  const terminal = await open()
  assert.deepEqual(await answer(terminal, 'SET "a key" "€ \\x00"'), ['OK'])
  assert.deepEqual(await answer(terminal, 'SET ключ 😀'), ['OK'])
  assert.equal(await server.execute('GET', 'ключ'), '😀')
  assert.deepEqual(await answer(terminal, 'RPUSH list x y'), ['(integer) 2'])
  assert.deepEqual(await answer(terminal, 'LRANGE list 0 -1'), ['1) "x"', '2) "y"'])
  assert.deepEqual(await answer(terminal, 'GET "bad'), ['Invalid argument(s)'])
  assert.deepEqual(await answer(terminal, ''), [])
  assert.deepEqual(await answer(terminal, 'MULTI', '(TX)'), ['OK'])
  assert.deepEqual(await answer(terminal, 'INCR n', '(TX)'), ['QUEUED'])
  assert.deepEqual(await answer(terminal, 'EXEC'), ['1) (integer) 1'])
  assert.deepEqual(await answer(terminal, 'SELECT 3', '[3]'), ['OK'])
  assert.deepEqual(await answer(terminal, 'GET n', '[3]'), ['(nil)'])
  terminal.type('quit\r')
  assert.equal(await terminal.ended(), 0)
})

test('the history comes back, in the next session too, without secrets, for nobody else to read', async () => {
  writeFileSync(historyFile, 'ECHO earlier\n')
  const first = await open()
  first.type(UP)
  await first.untilLine(`${prompt()} ECHO earlier`)
  assert.deepEqual(await answer(first, ''), ['"earlier"'])
  for (const line of ['ECHO now', 'AUTH secret', 'CONFIG SET requirepass ""', 'ACL SETUSER u >secret', 'ECHO now']) {
    await answer(first, line)
  }
  await quit(first)
  assert.equal(readFileSync(historyFile, 'utf8'), 'ECHO earlier\nECHO now\n')
  const fresh = await open()
  fresh.type(UP)
  await fresh.untilLine(`${prompt()} ECHO now`)
  fresh.type(UP)
  await fresh.untilLine(`${prompt()} ECHO earlier`)
  fresh.type(CTRL_U)
  await quit(fresh)
  rmSync(historyFile)
  const other = await open()
  await answer(other, 'PING')
  await quit(other)
  assert.equal(statSync(historyFile).mode & 0o777, 0o600)
})

test('arguments are shown behind the cursor until they are typed, and can be turned off', async () => {
  const terminal = await open()
  await untilHints(terminal)
  terminal.type('expire')
  await terminal.untilLine(`${prompt()} expire key seconds [NX | XX | GT | LT]`)
  terminal.type(' k 5')
  await terminal.untilLine(`${prompt()} expire k 5 [NX | XX | GT | LT]`)
  terminal.type(LEFT)
  await terminal.untilLine(`${prompt()} expire k 5`)
  terminal.type(`${END} NX`)
  await terminal.untilLine(`${prompt()} expire k 5 NX`)
  assert.deepEqual(await answer(terminal, ''), ['(integer) 0'])
  await answer(terminal, ':set nohints')
  terminal.type('expire ')
  await terminal.until(({ line }) => line.startsWith(`${prompt()} expire`))
  assert.equal(terminal.screen.line, `${prompt()} expire`)
  terminal.type(CTRL_U)
  await answer(terminal, ':set hints')
  terminal.type('expire ')
  await terminal.untilLine(`${prompt()} expire key seconds [NX | XX | GT | LT]`)
  terminal.type(CTRL_U)
  await quit(terminal)
})

test('Tab completes commands, subcommands and help', async () => {
  const terminal = await open()
  await untilHints(terminal)
  const complete = async (typed: string, completed: string) => {
    terminal.type(typed)
    await terminal.until(({ line }) => line.startsWith(`${prompt()} ${typed}`))
    terminal.type(TAB)
    await terminal.until(({ line }) => line.startsWith(`${prompt()} ${completed}`))
    terminal.type(CTRL_U)
    await terminal.untilLine(prompt())
  }
  await complete('hgeta', 'hgetall key')
  await complete('OBJECT EN', 'OBJECT ENCODING key')
  await complete('help @trans', 'help @transactions')
  await complete('help obj', 'help object')
  terminal.type('client kil')
  await terminal.until(({ line }) => line.startsWith(`${prompt()} client kil`))
  terminal.type(TAB)
  await terminal.until(({ line }) => line.startsWith(`${prompt()} client kill`))
  terminal.type(CTRL_U)
  terminal.type('client no-')
  await terminal.untilLine(`${prompt()} client no-`)
  terminal.type(TAB)
  terminal.type(TAB)
  await terminal.until(({ text }) => /no-evict +no-touch/.test(text))
  terminal.type(CTRL_U)
  await quit(terminal)
})

test('Ctrl-C drops a line with text and ends on an empty one', async () => {
  const terminal = await open()
  terminal.type('SET a 1')
  await terminal.until(({ line }) => line.startsWith(`${prompt()} SET a 1`))
  terminal.type(CTRL_C)
  await terminal.untilLine(prompt())
  assert.equal(await server.execute('EXISTS', 'a'), 0)
  terminal.type(CTRL_C)
  assert.equal(await terminal.ended(), 0)
})

test('Ctrl-C ends a command that waits, and the next one finds the database as it was', async () => {
  const terminal = await open(['-n', '2'], '[2]')
  assert.deepEqual(await answer(terminal, 'SET here 1', '[2]'), ['OK'])
  terminal.type('BLPOP nothing 0\r')
  while (!String(await server.execute('INFO', 'clients')).includes('blocked_clients:1')) await new Promise(setImmediate)
  terminal.type(CTRL_C)
  await terminal.until(({ lines, line }) => lines.length > 3 && line === prompt('[2]'))
  assert.deepEqual(await answer(terminal, 'EXISTS here', '[2]'), ['(integer) 1'])
  await quit(terminal)
})

test('messages are shown while one waits or types, and a key begins the next command', async () => {
  for (const protocol of ['-2', '-3']) {
    const terminal = await open([protocol])
    const subscribed = prompt('(subscribed mode)')
    terminal.type('SUBSCRIBE news\r')
    await terminal.until(({ text }) => text.endsWith('2) "news"\n3) (integer) 1\n'))
    await server.execute('PUBLISH', 'news', 'first')
    await terminal.until(({ text }) => text.endsWith('1) "message"\n2) "news"\n3) "first"\n'))
    terminal.type('UNSUB')
    await terminal.until(({ line }) => line.startsWith(`${subscribed} UNSUB`))
    await server.execute('PUBLISH', 'news', 'second')
    await terminal.until(({ text, line }) => text.includes('3) "second"\n') && line.startsWith(`${subscribed} UNSUB`))
    terminal.type('SCRIBE news\r')
    await terminal.untilLine(prompt())
    assert.ok(terminal.screen.text.includes(`1) "unsubscribe"\n2) "news"\n3) (integer) 0\n${prompt()}`))
    assert.deepEqual(await answer(terminal, 'PING'), ['PONG'])
    terminal.type('SUBSCRIBE news\r')
    await terminal.until(({ text }) => text.split('1) "subscribe"').length === 3 && text.endsWith('(integer) 1\n'))
    terminal.type(CTRL_C)
    await terminal.untilLine(prompt())
    assert.deepEqual(await answer(terminal, 'PING'), ['PONG'])
    await quit(terminal)
  }
})

test('MONITOR shows what others do until Ctrl-C', async () => {
  const terminal = await open()
  terminal.type('MONITOR\r')
  await terminal.until(({ text }) => text.endsWith('OK\n'))
  await server.execute('SET', 'seen', '1')
  await terminal.until(({ text }) => text.includes('"SET" "seen" "1"\n'))
  terminal.type(CTRL_C)
  await terminal.untilLine(prompt())
  await quit(terminal)
})

test('lines that are pasted run one after the other, to the last that is not ended', async () => {
  const terminal = await open()
  terminal.type(Buffer.from('SET a 1\rINCR a\r\nGET a\nECHO é'.slice(0, -1)))
  await terminal.until(({ line }) => line.startsWith(`${prompt()} ECHO`))
  const [first, second] = Buffer.from('é')
  terminal.type(Buffer.of(first))
  terminal.type(Buffer.of(second))
  await terminal.untilLine(`${prompt()} ECHO é`)
  assert.deepEqual(await answer(terminal, ''), ['"\\xc3\\xa9"'])
  assert.deepEqual(terminal.screen.lines.slice(0, 6), [
    `${prompt()} SET a 1`,
    'OK',
    `${prompt()} INCR a`,
    '(integer) 2',
    `${prompt()} GET a`,
    '"2"',
  ])
  await quit(terminal)
})

test('a server that is gone is told, and found again; connect goes to another', async () => {
  const other = await createServer()
  const terminal = await open()
  terminal.type(`connect 127.0.0.1 ${other.port}\r`)
  await terminal.untilLine(`127.0.0.1:${other.port}>`)
  const { port } = other
  await other.close()
  terminal.type('PING\r')
  await terminal.untilLine('not connected>')
  assert.match(
    terminal.screen.text,
    /\nError: (Server closed the connection|Broken pipe|Connection reset by peer)\n|Connection refused\n/i,
  )
  const again = await createServer({ port })
  terminal.type('PING\r')
  await terminal.untilLine(`127.0.0.1:${port}>`)
  assert.ok(terminal.screen.text.includes('\nPONG\n'))
  await quit(terminal)
  await again.close()
})

test('--askpass asks for the password without showing it', async () => {
  await using locked = await createServer({ requirepass: 'hidden' })
  const terminal = new Terminal(['-p', String(locked.port), '--askpass', '--no-raw', 'PING'], {})
  await terminal.untilLine('Please input password:')
  terminal.type('hidden\r')
  assert.equal(await terminal.ended(), 0)
  assert.deepEqual(terminal.screen.lines, ['Please input password:', 'PONG', ''])
})
