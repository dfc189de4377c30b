import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadAclFile, saveAclFile } from '#src/security/acl-file.ts'
import { configurationLines } from '#src/security/configured-users.ts'
import { UserDirectory } from '#src/security/user-directory.ts'
import { MemoryFiles } from '../config/memory-files.ts'
import { context } from './catalog.ts'

const PATH = '/etc/users.acl'

function lines(users: UserDirectory): string[] {
  return users.all().map((user) => `${user.name} ${user.describe()}`)
}

function load(users: UserDirectory, content: string | Uint8Array): string | null {
  return loadAclFile(users, PATH, new MemoryFiles({ [PATH]: content }))
}

test('who logs in is a user that is enabled and knows the password', () => {
  const users = new UserDirectory(context)
  users.set('ann', ['on', '>secret'])
  const secret = Buffer.from('secret')
  assert.equal(users.authenticate('ann', secret), users.get('ann'))
  assert.equal(users.authenticate('ann', Buffer.from('Secret')), null)
  assert.equal(users.authenticate('bob', secret), null)
  users.set('ann', ['off'])
  assert.equal(users.authenticate('ann', secret), null)
})

test('the password of the default user replaces all that it had', () => {
  const users = new UserDirectory(context)
  users.set('default', ['>one', '>two'])
  users.setDefaultPassword(Buffer.from('three'))
  assert.equal(users.authenticate('default', Buffer.from('one')), null)
  assert.equal(users.authenticate('default', Buffer.from('three')), users.default)
  users.setDefaultPassword(Buffer.from(''))
  assert.equal(users.authenticate('default', Buffer.from('anything')), users.default)
  assert.ok(users.default.isUnrestricted)
})

test('a change of a user is told, and its object stays the same', () => {
  const users = new UserDirectory(context)
  const told: string[] = []
  users.onChanged = (user) => told.push(`${user.name} ${user.describe()}`)
  users.onDeleted = (user) => told.push(`${user.name} is gone`)
  assert.equal(users.set('ann', ['on', '+get']), null)
  const ann = users.get('ann')
  assert.deepEqual(users.set('ann', ['off', '+nosuch']), { kind: 'rule', rule: '+nosuch', error: 'UNKNOWN_COMMAND' })
  assert.deepEqual(users.set('ann', ['off', '(+get', '~x']), { kind: 'parenthesis', index: 1 })
  assert.deepEqual(users.set('two words', []), { kind: 'name' })
  users.set('ann', ['+set'])
  assert.equal(users.get('ann'), ann)
  assert.equal(users.delete('ann'), true)
  assert.equal(users.delete('ann'), false)
  assert.equal(users.delete('default'), false)
  assert.deepEqual(told, ['ann on resetchannels -@all +get', 'ann on resetchannels -@all +get +set', 'ann is gone'])
})

test('who still holds a deleted user holds one that may do nothing', () => {
  const users = new UserDirectory(context)
  users.set('ann', ['on', 'nopass', 'allcommands', 'allkeys', 'allchannels'])
  const ann = users.get('ann')!
  assert.ok(ann.isUnrestricted)
  users.delete('ann')
  assert.equal(ann.describe(), 'off sanitize-payload resetchannels -@all')
})

test('a file replaces all users, and says what the default user is', () => {
  const users = new UserDirectory(context)
  users.set('ann', ['on'])
  users.set('bob', ['on'])
  users.setDefaultPassword(Buffer.from('secret'))
  const gone: string[] = []
  users.onDeleted = (user) => gone.push(user.name)
  const ann = users.get('ann')
  assert.equal(load(users, '\r\n  user ann on  +get\t (+set ~x) (~y\t +del)\r\n\nuser carl off'), null)
  assert.deepEqual(lines(users), [
    'ann on resetchannels -@all +get (~x resetchannels -@all +set) (~y resetchannels -@all +del)',
    'carl off resetchannels -@all',
    'default on nopass ~* &* +@all',
  ])
  // Who was ann before is not the new ann, as in Redis; the default user is the same.
  assert.notEqual(users.get('ann'), ann)
  assert.deepEqual(gone, ['ann', 'bob'])
  assert.equal(load(users, 'user default on >secret +get\n'), null)
  assert.equal(users.default.isUnrestricted, false)
  assert.equal(users.all().length, 1)
})

test('a file with a mistake changes nothing, and every mistake is told with its line', () => {
  const users = new UserDirectory(context)
  users.set('ann', ['on'])
  const before = lines(users)
  const content = [
    'user ann on',
    'user ann off',
    '# users have no comments',
    'user',
    'users bob on',
    'user bob +nosuch ~* ~b >x #x -@none',
    'user carl (on',
    'user dora wrong wronger',
    'user e\vf on',
    '',
  ].join('\n')
  assert.equal(
    load(users, content),
    [
      "WARNING: Duplicate user 'ann' found on line 2. ",
      `${PATH}:3 should start with user keyword followed by the username. `,
      `${PATH}:4 should start with user keyword followed by the username. `,
      `${PATH}:5 should start with user keyword followed by the username. `,
      `${PATH}:6: Error in applying operation '+nosuch': Unknown command or category name in ACL. `,
      `${PATH}:6: Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' to start with an empty list of patterns. `,
      `${PATH}:6: Error in applying operation '-@none': Unknown command or category name in ACL. `,
      `${PATH}:7: Unmatched parenthesis in selector definition.`,
      `${PATH}:8: Syntax error. `,
      `'${PATH}:9: username 'e\vf' contains invalid characters. `,
      'WARNING: ACL errors detected, no change to the previously active ACL rules was performed',
    ].join(''),
  )
  assert.deepEqual(lines(users), before)
  assert.equal(
    loadAclFile(users, '/no/such.acl', new MemoryFiles()),
    "Error loading ACLs, opening file '/no/such.acl': No such file or directory",
  )
})

test('what is saved is loaded again, bytes of any kind too', () => {
  const users = new UserDirectory(context)
  users.set('\xff"\\', ['on', '>secret', '~\x80*', '&"', '%R~#', '(+get ~x)', '(%W~")', '+config|get', '+select|0'])
  users.set('', ['off', 'skip-sanitize-payload'])
  const files = new MemoryFiles()
  saveAclFile(users, PATH, files)
  const read = new UserDirectory(context)
  assert.equal(loadAclFile(read, PATH, files), null)
  assert.deepEqual(lines(read), lines(users))
  assert.equal(read.all().length, 3)
})

test('a line for a configuration file quotes what would mean something there', () => {
  const users = new UserDirectory(context)
  users.set('a"b', ['on', "~it's", '~\xe9', '~plain:*', String.raw`("~x\"" +get)`])
  assert.deepEqual(configurationLines(users), [
    // The word of a selector is quoted once for the selector, and once for the file.
    String.raw`"a\"b" on "~it's" "~\xe9" ~plain:* resetchannels -@all "(\"~x\\\"\"" resetchannels -@all +get)`,
    'default on nopass ~* &* +@all',
  ])
})
