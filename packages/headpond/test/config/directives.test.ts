import assert from 'node:assert/strict'
import { test } from 'node:test'
import { directiveNames, directives, findDirective, type Settings } from '#src/config/directives.ts'
import { splitArguments } from '#src/config/quoting.ts'

test('no name and no setting stands for two directives', () => {
  const names = directives.flatMap((directive) => [directive.name, ...directive.aliases])
  assert.equal(new Set(names).size, names.length)
  assert.equal(directiveNames.length, names.length)
  assert.equal(new Set(directives.map((directive) => directive.key)).size, directives.length)
  const variables = names.map((name) => name.toUpperCase().replaceAll('-', '_'))
  const doubles = variables.filter((variable, i) => variables.indexOf(variable) !== i)
  assert.deepEqual(
    doubles.filter((variable) => !variable.endsWith('_CPULIST')),
    [],
    'environment variables are unambiguous (the spellings of cpulist mean the same)',
  )
})

test('a directive is found by name and alias, in any case', () => {
  assert.equal(findDirective('SLAVE-Priority')?.name, 'replica-priority')
  assert.equal(findDirective('hash-max-ziplist-entries')?.name, 'hash-max-listpack-entries')
  assert.equal(findDirective('nosuch'), undefined)
})

test('every default, written to a file, is read back as it was', () => {
  for (const { type, name, defaultValue } of directives) {
    let value: unknown = defaultValue
    type.lines(defaultValue).forEach((line, i) => {
      const args = splitArguments(Buffer.from(line))!.map((arg) => Buffer.from(arg).toString())
      const parsed = type.parse(args, value, i > 0)
      assert.ok('value' in parsed, `${name} ${line}`)
      value = parsed.value
    })
    assert.deepEqual(value, defaultValue, name)
  }
})

test('summaries fit into a line and have no full stop', () => {
  for (const { name, summary } of directives) assert.match(summary, /^.{3,80}[^.]$/, name)
})

test('settings have the types of their directives', () => {
  // A wrong type does not compile; there is nothing to run.
  const typed = (settings: Settings) => {
    const limit: number = settings.maxclients
    const port: number | 'auto' = settings.port
    const level: 'debug' | 'verbose' | 'notice' | 'warning' = settings.loglevel
    const soft: number = settings.clientOutputBufferLimit.pubsub.softBytes
    const cpus: string = settings.serverCpulist
    // @ts-expect-error: settings change through CONFIG SET alone
    settings.maxclients = 1
    return [limit, port, level, soft, cpus]
  }
  assert.ok(typed)
})
