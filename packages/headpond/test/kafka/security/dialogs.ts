/**
 * Conversations with a listener that asks for SASL, each as what is sent and what comes back, in lines. They are held with
 * Headpond here, and with Apache Kafka's own broker in interop: the lines are the same.
 *
 * The broker has a user alice, password alice-secret, for PLAIN; and what the conversations give it for SCRAM.
 */
import { randomBytes } from 'node:crypto'
import type { Message } from '#src/kafka/codec/message.ts'
import { errorNameOf } from '#src/kafka/errors.ts'
import {
  alterUserScramCredentialsRequest,
  alterUserScramCredentialsResponse,
} from '#src/kafka/schemas/alter-user-scram-credentials.ts'
import { apiVersionsRequest, apiVersionsResponse } from '#src/kafka/schemas/api-versions.ts'
import {
  describeUserScramCredentialsRequest,
  describeUserScramCredentialsResponse,
} from '#src/kafka/schemas/describe-user-scram-credentials.ts'
import { heartbeatRequest, heartbeatResponse } from '#src/kafka/schemas/heartbeat.ts'
import { metadataRequest, metadataResponse } from '#src/kafka/schemas/metadata.ts'
import { saslAuthenticateRequest, saslAuthenticateResponse } from '#src/kafka/schemas/sasl-authenticate.ts'
import { saslHandshakeRequest, saslHandshakeResponse } from '#src/kafka/schemas/sasl-handshake.ts'
import { ScramClient, type ScramMechanism, saltPassword } from '#src/security/scram.ts'
import type { WireClient } from '../wire-client.ts'
import { plainToken } from './login.ts'

/** One connection, and what was heard on it. */
export class Dialog {
  readonly #settle: () => Promise<void>
  readonly lines: string[] = []
  readonly client: WireClient

  /** @param settle waits until the broker has heard of a change that its controller has made */
  constructor(client: WireClient, settle: () => Promise<void> = async () => {}) {
    this.#settle = settle
    this.client = client
  }

  /** Sends a request and notes the answer, or that there was none. */
  async ask<Q, A>(
    what: string,
    request: Message<unknown, Q>,
    response: Message<A, unknown>,
    version: number,
    body: Q,
    show: (answer: A) => string,
  ): Promise<A | null> {
    try {
      const answer = await this.client.call(request, response, version, body)
      this.lines.push(`${what}: ${show(answer)}`)
      return answer
    } catch (error) {
      this.lines.push(`${what}: ${(error as Error).message}`)
      return null
    }
  }

  async versions(version = 3): Promise<void> {
    const body = { clientSoftwareName: 'test', clientSoftwareVersion: '1' }
    await this.ask(`ApiVersions ${version}`, apiVersionsRequest, apiVersionsResponse, version, body, ({ errorCode }) =>
      errorNameOf(errorCode),
    )
  }

  async handshake(mechanism: string, version = 1): Promise<void> {
    const show = ({ errorCode, mechanisms }: { errorCode: number; mechanisms: readonly string[] }) =>
      `${errorNameOf(errorCode)} [${[...mechanisms].sort().join(', ')}]`
    const what = `SaslHandshake ${version} ${mechanism}`
    await this.ask(what, saslHandshakeRequest, saslHandshakeResponse, version, { mechanism }, show)
  }

  async token(name: string, authBytes: Uint8Array, version = 1): Promise<Buffer | null> {
    const what = `SaslAuthenticate ${version} ${name}`
    const answer = await this.ask(
      what,
      saslAuthenticateRequest,
      saslAuthenticateResponse,
      version,
      { authBytes },
      ({ errorCode, errorMessage, authBytes: bytes, sessionLifetimeMs }) =>
        [
          errorNameOf(errorCode),
          errorMessage === null ? 'null' : `'${errorMessage}'`,
          bytes.length === 0 ? 'nothing' : `${bytes.length > 0 ? 'bytes' : ''}`,
          ...(version >= 1 ? [`${sessionLifetimeMs} ms`] : []),
        ].join(', '),
    )
    return answer === null ? null : Buffer.from(answer.authBytes)
  }

  async metadata(): Promise<void> {
    const body = { topics: [], includeTopicAuthorizedOperations: false, includeClusterAuthorizedOperations: false }
    await this.ask(
      'Metadata 9',
      metadataRequest,
      metadataResponse,
      9,
      body,
      ({ brokers }) => `${brokers.length} broker`,
    )
  }

  async heartbeat(): Promise<void> {
    const body = { groupId: 'g', generationId: 1, memberId: 'm', groupInstanceId: null }
    const show = ({ errorCode }: { errorCode: number }) => errorNameOf(errorCode)
    await this.ask('Heartbeat 4', heartbeatRequest, heartbeatResponse, 4, body, show)
  }

  /** A token as it stands, behind its size. */
  async bareToken(name: string, token: Uint8Array): Promise<Buffer | null> {
    const size = Buffer.alloc(4)
    size.writeInt32BE(token.length)
    this.client.sendBytes(Buffer.concat([size, token]))
    try {
      const answer = await this.client.receiveBare()
      this.lines.push(`bare ${name}: ${answer.length === 0 ? 'nothing' : 'bytes'}`)
      return answer
    } catch (error) {
      this.lines.push(`bare ${name}: ${(error as Error).message}`)
      return null
    }
  }

  async scram(mechanism: ScramMechanism, user: string, password: string): Promise<void> {
    const scram = new ScramClient(mechanism, user, password)
    const first = await this.token('first', scram.first())
    if (first === null || first.length === 0) return
    const last = await this.token('last', await scram.final(first))
    if (last === null || last.length === 0) return
    scram.verify(last)
    this.lines.push('the broker knows the password')
  }

  async alter(
    what: string,
    deletions: readonly { name: string; mechanism: number }[],
    upsertions: readonly { name: string; mechanism: number; iterations: number; password?: string }[],
  ): Promise<void> {
    const salted = await Promise.all(
      upsertions.map(async ({ password = 'secret', ...rest }) => {
        const salt = randomBytes(16)
        const mechanism = rest.mechanism === 2 ? 'SCRAM-SHA-512' : 'SCRAM-SHA-256'
        const iterations = Math.min(Math.max(rest.iterations, 1), 20_000)
        return { ...rest, salt, saltedPassword: await saltPassword(mechanism, Buffer.from(password), salt, iterations) }
      }),
    )
    const body = { deletions: [...deletions], upsertions: salted }
    const show = ({
      results,
    }: {
      results: readonly { user: string; errorCode: number; errorMessage: string | null }[]
    }) =>
      results
        .map(({ user, errorCode, errorMessage }) => `${user} ${errorNameOf(errorCode)} ${errorMessage ?? ''}`.trim())
        .sort()
        .join('; ')
    await this.ask(what, alterUserScramCredentialsRequest, alterUserScramCredentialsResponse, 0, body, show)
    await this.#settle()
  }

  async describe(what: string, users: readonly string[] | null): Promise<void> {
    const body = { users: users?.map((name) => ({ name })) ?? null }
    await this.ask(
      what,
      describeUserScramCredentialsRequest,
      describeUserScramCredentialsResponse,
      0,
      body,
      ({ errorCode, results }) =>
        [
          errorNameOf(errorCode),
          ...results
            .map(({ user, errorCode: code, errorMessage, credentialInfos }) =>
              code === 0
                ? `${user} ${credentialInfos
                    .map(({ mechanism, iterations }) => `${mechanism}:${iterations}`)
                    .sort()
                    .join(' ')}`
                : `${user} ${errorNameOf(code)} ${errorMessage}`,
            )
            .sort(),
        ].join('; '),
    )
  }
}

export interface SaslDialog {
  readonly name: string
  /** On the listener without SASL. */
  readonly isPlaintext?: true
  hold(dialog: Dialog): Promise<void>
}

const ALICE = plainToken('alice', 'alice-secret')

export const saslDialogs: readonly SaslDialog[] = [
  {
    name: 'PLAIN as clients do it',
    async hold(dialog) {
      await dialog.versions()
      await dialog.handshake('PLAIN')
      await dialog.token('right', ALICE)
      await dialog.metadata()
    },
  },
  {
    name: 'PLAIN without asking for versions, in every version of SaslAuthenticate',
    async hold(dialog) {
      await dialog.handshake('PLAIN')
      await dialog.token('right', ALICE, 0)
      await dialog.metadata()
    },
  },
  {
    name: 'PLAIN in version 2, which is flexible',
    async hold(dialog) {
      await dialog.handshake('PLAIN')
      await dialog.token('right', ALICE, 2)
    },
  },
  ...(
    [
      ['a wrong password', plainToken('alice', 'guess')],
      ['a user that is not there', plainToken('nobody', 'alice-secret')],
      ['another identity', plainToken('alice', 'alice-secret', 'bob')],
      ['the same identity', plainToken('alice', 'alice-secret', 'alice')],
      ['no user', plainToken('', 'alice-secret')],
      ['no password', plainToken('alice', '')],
      ['two parts', Buffer.from('alice\0alice-secret')],
      ['four parts', Buffer.from('\0alice\0alice-secret\0')],
      ['nothing', Buffer.alloc(0)],
    ] as const
  ).map(
    ([name, token]): SaslDialog => ({
      name: `PLAIN with ${name}`,
      async hold(dialog) {
        await dialog.versions()
        await dialog.handshake('PLAIN')
        await dialog.token(name, token)
        await dialog.metadata()
      },
    }),
  ),
  {
    name: 'a mechanism that is not there',
    async hold(dialog) {
      await dialog.versions()
      await dialog.handshake('GSSAPI')
      await dialog.metadata()
    },
  },
  {
    name: 'a request before the login',
    async hold(dialog) {
      await dialog.versions()
      await dialog.metadata()
    },
  },
  {
    name: 'SaslAuthenticate before the handshake',
    async hold(dialog) {
      await dialog.versions()
      await dialog.token('right', ALICE)
    },
  },
  {
    name: 'versions that are too new may be asked for again, others not',
    async hold(dialog) {
      await dialog.versions()
      await dialog.versions()
    },
  },
  {
    name: 'another request where a token is expected',
    async hold(dialog) {
      await dialog.handshake('PLAIN')
      await dialog.heartbeat()
    },
  },
  {
    name: 'a second handshake where a token is expected',
    async hold(dialog) {
      await dialog.handshake('PLAIN')
      await dialog.handshake('PLAIN')
    },
  },
  {
    name: 'SaslAuthenticate once more',
    async hold(dialog) {
      await dialog.handshake('PLAIN')
      await dialog.token('right', ALICE)
      await dialog.token('right', ALICE)
      await dialog.metadata()
    },
  },
  {
    name: 'bare tokens after a handshake of version 0',
    async hold(dialog) {
      await dialog.handshake('PLAIN', 0)
      await dialog.bareToken('right', ALICE)
      await dialog.metadata()
    },
  },
  {
    name: 'a bare token that is wrong',
    async hold(dialog) {
      await dialog.handshake('PLAIN', 0)
      await dialog.bareToken('wrong', plainToken('alice', 'guess'))
    },
  },
  {
    name: 'a handshake where nobody asks for one',
    isPlaintext: true,
    async hold(dialog) {
      await dialog.handshake('PLAIN')
      await dialog.token('right', ALICE)
      await dialog.metadata()
    },
  },
  {
    name: 'credentials of SCRAM: what may be set',
    isPlaintext: true,
    async hold(dialog) {
      await dialog.describe('nobody', null)
      await dialog.describe('one that is not there', ['carol'])
      await dialog.alter('too few', [], [{ name: 'carol', mechanism: 1, iterations: 4095 }])
      await dialog.alter('too many', [], [{ name: 'carol', mechanism: 2, iterations: 16385 }])
      await dialog.alter('no name', [], [{ name: '', mechanism: 1, iterations: 4096 }])
      await dialog.alter('no mechanism', [], [{ name: 'carol', mechanism: 0, iterations: 4096 }])
      await dialog.alter('a mechanism of tomorrow', [], [{ name: 'carol', mechanism: 3, iterations: 4096 }])
      await dialog.alter('one that is not there', [{ name: 'carol', mechanism: 1 }], [])
      await dialog.alter('no mechanism to delete', [{ name: 'carol', mechanism: 0 }], [])
      await dialog.alter('nothing', [], [])
      await dialog.alter(
        'twice',
        [],
        [
          { name: 'carol', mechanism: 1, iterations: 4096 },
          { name: 'carol', mechanism: 1, iterations: 4096 },
        ],
      )
      await dialog.alter(
        'deleted and set',
        [{ name: 'carol', mechanism: 1 }],
        [{ name: 'carol', mechanism: 1, iterations: 4096 }],
      )
      await dialog.alter(
        'one good, one bad',
        [],
        [
          { name: 'dave', mechanism: 1, iterations: 10 },
          { name: 'erin', mechanism: 2, iterations: 8192 },
        ],
      )
      await dialog.alter(
        'two mechanisms at once',
        [],
        [
          { name: 'dave', mechanism: 1, iterations: 4096 },
          { name: 'dave', mechanism: 2, iterations: 4096 },
        ],
      )
      await dialog.describe('all', [])
      await dialog.describe('some twice', ['erin', 'dave', 'erin'])
      await dialog.alter('again', [{ name: 'erin', mechanism: 2 }], [{ name: 'dave', mechanism: 1, iterations: 4096 }])
      await dialog.describe('all', null)
      await dialog.alter('gone', [{ name: 'dave', mechanism: 1 }], [])
    },
  },
  {
    name: 'SCRAM: the users of the next conversations',
    isPlaintext: true,
    async hold(dialog) {
      await dialog.alter(
        'set',
        [],
        [
          { name: 'frank', mechanism: 1, iterations: 4096, password: 'frank-secret' },
          { name: 'a=b,c', mechanism: 1, iterations: 4096, password: 'x' },
        ],
      )
      await dialog.alter('set', [], [{ name: 'frank', mechanism: 2, iterations: 8192, password: 'frank-secret' }])
    },
  },
  ...(
    [
      ['SCRAM-SHA-256', 'frank', 'frank-secret'],
      ['SCRAM-SHA-512', 'frank', 'frank-secret'],
      ['SCRAM-SHA-256', 'a=b,c', 'x'],
      ['SCRAM-SHA-512', 'a=b,c', 'x'],
      ['SCRAM-SHA-256', 'frank', 'guess'],
      ['SCRAM-SHA-256', 'nobody', 'frank-secret'],
    ] as const
  ).map(
    ([mechanism, user, password]): SaslDialog => ({
      name: `${mechanism} as ${user} with ${password}`,
      async hold(dialog) {
        await dialog.versions()
        await dialog.handshake(mechanism)
        await dialog.scram(mechanism, user, password)
        await dialog.metadata()
      },
    }),
  ),
  ...(
    [
      ['no message', ''],
      ['channel binding', 'p=tls-unique,,n=frank,r=abc'],
      ['another identity', 'n,a=bob,n=frank,r=abc'],
      ['the same identity', 'n,a=frank,n=frank,r=abc'],
      ['a name that is not escaped', 'n,,n=fr=ank,r=abc'],
      ['no nonce', 'n,,n=frank,r='],
      ['a token', 'n,,n=frank,r=abc,tokenauth=true'],
      ['extensions', 'n,,n=frank,r=abc,x=1,y=2'],
    ] as const
  ).map(
    ([name, message]): SaslDialog => ({
      name: `SCRAM with ${name}`,
      async hold(dialog) {
        await dialog.handshake('SCRAM-SHA-256')
        await dialog.token(name, Buffer.from(message))
      },
    }),
  ),
  {
    name: 'SCRAM with another nonce than was agreed',
    async hold(dialog) {
      await dialog.handshake('SCRAM-SHA-256')
      const scram = new ScramClient('SCRAM-SHA-256', 'frank', 'frank-secret')
      const first = await dialog.token('first', scram.first())
      // A nonce is of base64url: no nonce begins with a tilde.
      const last = (await scram.final(first!)).toString().replace(/,r=./, ',r=~')
      await dialog.token('last', Buffer.from(last))
    },
  },
  {
    name: 'bare tokens of SCRAM',
    async hold(dialog) {
      await dialog.handshake('SCRAM-SHA-512', 0)
      const scram = new ScramClient('SCRAM-SHA-512', 'frank', 'frank-secret')
      const first = await dialog.bareToken('first', scram.first())
      const last = await dialog.bareToken('last', await scram.final(first!))
      scram.verify(last!)
      await dialog.metadata()
    },
  },
]

/** What comes of it, line by line. */
export async function hold(
  { name, hold: run }: SaslDialog,
  client: WireClient,
  settle?: () => Promise<void>,
): Promise<string[]> {
  const dialog = new Dialog(client, settle)
  await run(dialog)
  return [`# ${name}`, ...dialog.lines]
}
