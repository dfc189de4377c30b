import assert from 'node:assert/strict'
import { createHmac, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  ITERATIONS_MIN,
  keysOf,
  SCRAM_MECHANISMS,
  ScramClient,
  ScramFailure,
  type ScramMechanism,
  ScramServer,
  type ScramVerifier,
  saltPassword,
} from '#src/security/scram.ts'
import {
  parseClientFinal,
  parseClientFirst,
  parseServerFinal,
  parseServerFirst,
  ScramMessageError,
  saslNameOf,
} from '#src/security/scram-messages.ts'

async function verifierFor(
  mechanism: ScramMechanism,
  passwords: readonly string[],
  salt = randomBytes(16),
  iterations = ITERATIONS_MIN,
): Promise<ScramVerifier> {
  const keys = passwords.map(async (password) =>
    keysOf(mechanism, await saltPassword(mechanism, Buffer.from(password), salt, iterations)),
  )
  return { salt, iterations, keys: await Promise.all(keys) }
}

test('the example of RFC 7677', async () => {
  const nonces = { client: 'rOprNGfwEbeRWgbNEkqO', server: '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0' }
  const client = new ScramClient('SCRAM-SHA-256', 'user', 'pencil', false, nonces.client)
  const server = new ScramServer('SCRAM-SHA-256', nonces.server)
  assert.equal(client.first().toString(), 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO')
  assert.equal(server.receiveFirst(client.first()), 'user')
  const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')
  const challenge = server.challenge(await verifierFor('SCRAM-SHA-256', ['pencil'], salt))
  assert.equal(
    challenge.toString(),
    'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
  )
  const final = await client.final(challenge)
  assert.equal(
    final.toString(),
    'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
  )
  const last = server.receiveFinal(final)
  assert.equal(last.toString(), 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')
  client.verify(last)
})

test('each of several passwords is right, and no other', async () => {
  for (const mechanism of SCRAM_MECHANISMS) {
    const verifier = await verifierFor(mechanism, ['first', 'second'])
    for (const [password, isRight] of [
      ['first', true],
      ['second', true],
      ['third', false],
      ['', false],
    ] as const) {
      const client = new ScramClient(mechanism, 'alice', password)
      const server = new ScramServer(mechanism)
      server.receiveFirst(client.first())
      const final = await client.final(server.challenge(verifier))
      if (isRight) client.verify(server.receiveFinal(final))
      else assert.throws(() => server.receiveFinal(final), ScramFailure, `${mechanism} ${password}`)
    }
  }
})

test('what was agreed in the first round holds in the second', async () => {
  const verifier = await verifierFor('SCRAM-SHA-256', ['secret'])
  const spoil: ((text: string) => string)[] = [
    (text) => text.replace(/,r=./, ',r=~'),
    (text) => text.replace(/r=([^,]+)/, 'r=$1x'),
    (text) => text.replace('c=biws', `c=${Buffer.from('n,a=bob,').toString('base64')}`),
    (text) => text.replace('c=biws', 'c='),
    (text) => text.replace(/p=..../, 'p=AAAA'),
    (text) => text.replace(/p=.*/, 'p='),
    (text) => text.replace(/p=.*/, `p=${Buffer.alloc(31).toString('base64')}`),
    (text) => text.replace(',p=', ',x=1,p='),
  ]
  for (const change of spoil) {
    const client = new ScramClient('SCRAM-SHA-256', 'alice', 'secret')
    const server = new ScramServer('SCRAM-SHA-256')
    server.receiveFirst(client.first())
    const final = change((await client.final(server.challenge(verifier))).toString())
    assert.throws(() => server.receiveFinal(Buffer.from(final)), ScramFailure, final)
  }
})

test('a client that writes its nonce twice is understood, as long as the rest is right', async () => {
  const verifier = await verifierFor('SCRAM-SHA-256', ['secret'])
  const salted = await saltPassword('SCRAM-SHA-256', Buffer.from('secret'), verifier.salt, verifier.iterations)
  const hmac = (key: Uint8Array, text: string) => createHmac('sha256', key).update(text).digest()
  for (const [before, isUnderstood] of [
    ['', true],
    ['abc', true],
    ['abcabc', false],
    ['xyz', false],
  ] as const) {
    const server = new ScramServer('SCRAM-SHA-256', 'server')
    server.receiveFirst(Buffer.from('n,,n=alice,r=abc'))
    const challenge = server.challenge(verifier).toString()
    const bare = `c=biws,r=${before}abcserver`
    const key = hmac(salted, 'Client Key')
    const signature = hmac(verifier.keys[0].storedKey, `n=alice,r=abc,${challenge},${bare}`)
    const proof = Buffer.from(key.map((byte, at) => byte ^ signature[at])).toString('base64')
    const answer = () => server.receiveFinal(Buffer.from(`${bare},p=${proof}`))
    if (isUnderstood) assert.match(answer().toString(), /^v=/)
    else assert.throws(answer, /another nonce/)
  }
})

test('a client takes no server that it cannot trust', async () => {
  const client = () => new ScramClient('SCRAM-SHA-512', 'alice', 'secret', false, 'abc')
  const rejects = (text: string) => assert.rejects(client().final(Buffer.from(text)), ScramFailure, text)
  await rejects('r=xyz123,s=AAAA,i=4096')
  await rejects('r=abc,s=AAAA,i=4096')
  await rejects('r=abcd,s=AAAA,i=4095')
  await rejects('r=abcd,s=AAAA,i=-1')
  await rejects('m=ext,r=abcd,s=AAAA,i=4096')
  const one = client()
  await one.final(Buffer.from('r=abcd,s=AAAA,i=4096'))
  assert.throws(() => one.verify(Buffer.from(`v=${Buffer.alloc(64).toString('base64')}`)), /does not know the password/)
  assert.throws(() => one.verify(Buffer.from('v=AAAA')), ScramFailure)
  assert.throws(() => one.verify(Buffer.from('e=other-error')), /other-error/)
})

test('names are escaped, whatever is in them', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (name) => {
      fc.pre(!name.includes('\0'))
      const parsed = parseClientFirst(Buffer.from(`n,a=${saslNameOf(name)},n=${saslNameOf(name)},r=abc`))
      assert.deepEqual([parsed.user, parsed.authorizationId, parsed.nonce], [name, name, 'abc'])
    }),
  )
  for (const text of ['n,,n=a=b,r=x', 'n,,n==2c,r=x', 'n,,n=,r=x', 'n,,n=a=3,r=x', 'n,a=,n=a,r=x']) {
    assert.throws(() => parseClientFirst(Buffer.from(text)), ScramMessageError, text)
  }
})

test('a first message that asks for what there is not is none', () => {
  for (const text of [
    '',
    'n,,',
    'n=alice,r=x',
    ',,n=alice,r=x',
    'p=tls-server-end-point,,n=alice,r=x',
    'n,,m=must,n=alice,r=x',
    'n,,n=alice',
    'n,,n=alice,r=',
    'n,,n=alice,r=a b',
    'n,,n=alice,r=x,',
    'n,,n=alice,r=x,y',
    'n,,n=alice,r=x,1=y',
    'n,,r=x,n=alice',
    'n,,n=alice,r=x\n',
  ]) {
    assert.throws(() => parseClientFirst(Buffer.from(text)), ScramMessageError, text)
  }
  assert.throws(() => parseClientFirst(Buffer.from('n,,n=\xff,r=x', 'latin1')), /UTF-8/)
  assert.throws(() => parseClientFirst(Buffer.alloc(70_000, 'n')), /70000 bytes/)
  assert.equal(parseClientFirst(Buffer.from('y,,n=alice,r=x')).header, 'y,,')
  const { extensions } = parseClientFirst(Buffer.from('n,,n=alice,r=x,a=1,tokenauth=true'))
  assert.deepEqual([...extensions], [['a', '1'], ['tokenauth', 'true']]) // biome-ignore format: pairs
  const server = new ScramServer('SCRAM-SHA-256')
  for (const [isForToken, wanted] of [
    [true, true],
    [false, false],
  ] as const) {
    server.receiveFirst(new ScramClient('SCRAM-SHA-256', 'alice', 'secret', isForToken).first())
    assert.equal(server.isForToken, wanted)
  }
})

test('every parser takes a whole message or says that it is none, whatever it is given', () => {
  const samples: [parse: (bytes: Uint8Array) => unknown, sample: string][] = [
    [parseClientFirst, 'n,a=al=2Cice,n=al=2Cice,r=abcdef,x=1'],
    [parseServerFirst, 'r=abcdef,s=QSXCR+Q6sek8bf92,i=4096'],
    [parseClientFinal, 'c=biws,r=abcdef,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts='],
    [parseServerFinal, 'v=rmF9pqV8S7suAoZWja4dJRkFsKQ='],
  ]
  const isNone = (parse: (bytes: Uint8Array) => unknown, bytes: Uint8Array) => {
    try {
      parse(bytes)
      return false
    } catch (error) {
      if (error instanceof ScramMessageError) return true
      throw error
    }
  }
  for (const [parse, sample] of samples) {
    const bytes = Buffer.from(sample)
    assert.equal(isNone(parse, bytes), false, sample)
    for (let at = 0; at < bytes.length; at++) isNone(parse, bytes.subarray(0, at))
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 0, max: 255 }), (at, byte) => {
        const changed = Buffer.from(bytes)
        changed[at] = byte
        isNone(parse, changed)
      }),
    )
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => void isNone(parse, noise)))
  }
})
