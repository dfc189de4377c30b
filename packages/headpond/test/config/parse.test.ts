import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConfigError } from '#src/config/config-error.ts'
import { readStatements } from '#src/config/parse.ts'
import { MemoryFiles } from './memory-files.ts'

function read(contents: Record<string, string | Uint8Array>, path = 'main.conf') {
  const context = { files: new MemoryFiles(contents), workingDirectory: '/etc/pond' }
  return readStatements(path, context).map(({ name, args, place }) => [place, name, ...args])
}

function errorOf(contents: Record<string, string | Uint8Array>): string {
  try {
    read(contents)
  } catch (error) {
    assert.ok(error instanceof ConfigError)
    return error.message
  }
  return assert.fail('the file was accepted')
}

test('comments and empty lines say nothing; the rest keeps its line number', () => {
  const content = '# a comment\n\n  # another\nPort 7000\r\n\t\r\nrequirepass "a # b"'
  assert.deepEqual(read({ '/etc/pond/main.conf': content }), [
    ['main.conf:4', 'port', '7000'],
    ['main.conf:6', 'requirepass', 'a # b'],
  ])
})

test('a byte order mark is not part of the first directive', () => {
  assert.deepEqual(read({ '/etc/pond/main.conf': '\ufeffport 1' }), [['main.conf:1', 'port', '1']])
})

test('an included file counts where it is included', () => {
  const contents = {
    '/etc/pond/main.conf': 'port 1\ninclude more.conf\nport 3',
    '/etc/pond/more.conf': 'port 2',
  }
  assert.deepEqual(
    read(contents).map(([place]) => place),
    ['main.conf:1', 'more.conf:1', 'main.conf:3'],
  )
})

test('a relative include is looked for in the working directory, then beside its file', () => {
  const contents = {
    '/opt/main.conf': 'include a.conf\ninclude b.conf',
    '/opt/a.conf': 'port 1',
    '/opt/b.conf': 'port 2',
    '/etc/pond/b.conf': 'port 3',
  }
  assert.deepEqual(
    read(contents, '/opt/main.conf').map(([, , port]) => port),
    ['1', '3'],
  )
})

test('a pattern includes what it matches in alphabetical order, hidden files not', () => {
  const contents = {
    '/etc/pond/main.conf': 'include conf.d/*.conf\ninclude nothing/*.conf\ninclude */x[12].conf',
    '/etc/pond/conf.d/b.conf': 'port 2',
    '/etc/pond/conf.d/a.conf': 'port 1',
    '/etc/pond/conf.d/.c.conf': 'port 3',
    '/etc/pond/conf.d/README': 'hello world',
    '/etc/pond/other/x2.conf': 'port 5',
    '/etc/pond/other/x1.conf': 'port 4',
  }
  assert.deepEqual(
    read(contents).map(([, , port]) => port),
    ['1', '2', '4', '5'],
  )
})

test('a file that includes itself is refused', () => {
  const contents = { '/etc/pond/main.conf': 'include b.conf', '/etc/pond/b.conf': '\ninclude main.conf' }
  assert.equal(errorOf(contents), 'b.conf:2: include main.conf: the file includes itself. Take this line out.')
})

test('errors name file and line, what is wrong, and what to do', () => {
  assert.equal(
    errorOf({ '/etc/pond/main.conf': '\nbind "127.0.0.1' }),
    'main.conf:2: unbalanced quotes. Close each quote, and leave a space after it.',
  )
  assert.equal(
    errorOf({}),
    'main.conf: cannot read the file: No such file or directory. Check the path and the permissions of /etc/pond/main.conf.',
  )
  assert.equal(
    errorOf({ '/etc/pond/main.conf': 'include /no.conf' }),
    'main.conf:1: include /no.conf: cannot read the file: No such file or directory. ' +
      'Check the path and the permissions of /no.conf.',
  )
  assert.match(errorOf({ '/etc/pond/main.conf': 'include a b' }), /^main\.conf:1: include: wrong number of arguments/)
})

test('a comment may be in any encoding, a value is UTF-8', () => {
  assert.deepEqual(read({ '/etc/pond/main.conf': Buffer.from('# caf\xe9\nport 1', 'latin1') }).length, 1)
  assert.equal(
    errorOf({ '/etc/pond/main.conf': Buffer.from('dir caf\xe9', 'latin1') }),
    'main.conf:1: not valid UTF-8. Save the file as UTF-8.',
  )
})
