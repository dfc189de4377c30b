import assert from 'node:assert/strict'
import { test } from 'node:test'
import { directives } from '#src/config/directives.ts'
import { helpText } from '#src/config/help.ts'

test('the help fits into 100 columns and leaves no blanks at line ends', () => {
  for (const line of helpText().split('\n')) assert.match(line, /^(|.{0,99}\S)$/)
})

test('the help tells of every directive but those for tests of servers', () => {
  const words = new Set(helpText().split(/\s+/))
  for (const { name, hidden, acting } of directives) {
    assert.equal(words.has(acting === true ? `--${name}` : name), !hidden, name)
  }
})

test('a line tells value, meaning and default', () => {
  assert.match(helpText(), /^ {2}--maxclients <n> +Most clients connected at once \(10000\)$/m)
})
