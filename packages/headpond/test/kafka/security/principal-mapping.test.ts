import assert from 'node:assert/strict'
import { test } from 'node:test'
import { opensslNameOf } from '#src/kafka/security/cipher-name.ts'
import { PrincipalMapping } from '#src/kafka/security/principal-mapping.ts'

function nameOf(rules: string, subject: string): string | null {
  const mapping = PrincipalMapping.parse(rules)
  assert.ok(typeof mapping !== 'string', String(mapping))
  return mapping.nameOf(subject)
}

test('the first rule that matches counts', () => {
  const rules =
    'RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/,RULE:^CN=(.*?),OU=(.*?),O=(.*?),L=(.*?),ST=(.*?),C=(.*?)$/$1@$2/L, DEFAULT'
  assert.equal(nameOf(rules, 'CN=kafka1,OU=ServiceUsers,O=Unknown'), 'kafka1')
  assert.equal(nameOf(rules, 'CN=Admin,OU=Ops,O=Org,L=City,ST=State,C=US'), 'admin@ops')
  assert.equal(nameOf(rules, 'CN=else'), 'CN=else')
  assert.equal(nameOf('RULE:^CN=(.*)$/$1/U', 'CN=alice'), 'ALICE')
  assert.equal(nameOf('RULE:^CN=(.*)$/$1-$2/', 'CN=alice'), 'alice-$2')
  assert.equal(nameOf('RULE:^CN=(.*)\\/(.*)$/$2/', 'CN=a/b'), 'b')
  assert.equal(nameOf('RULE:CN=a/x/', 'CN=ab'), null)
  assert.equal(nameOf('', 'CN=ab'), null)
})

test('what is no rule is told', () => {
  for (const rules of ['RULE', 'RULE:a', 'RULE:a/b', 'RULE:a/b/X', 'DEFAULT1', 'RULE:(/x/', 'default']) {
    assert.match(String(PrincipalMapping.parse(rules)), /^Invalid rule: /, rules)
  }
})

test("Java's names of ciphers are OpenSSL's in other words", () => {
  const names = {
    TLS_AES_256_GCM_SHA384: 'TLS_AES_256_GCM_SHA384',
    TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: 'ECDHE-RSA-AES128-GCM-SHA256',
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-ECDSA-CHACHA20-POLY1305',
    TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384: 'ECDHE-RSA-AES256-SHA384',
    TLS_RSA_WITH_AES_128_CBC_SHA: 'AES128-SHA',
  }
  for (const [java, openssl] of Object.entries(names)) assert.equal(opensslNameOf(java), openssl)
})
