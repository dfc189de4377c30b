import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { subjectOf } from '#src/security/distinguished-name.ts'

/** Of `/C=DE/O=Example, Inc./OU=a/emailAddress=a@b.c/CN= "Zoë" #1 `. */
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIICETCCAbegAwIBAgIUML9K9jRwj04RB1Gt2F7ewSX1jBgwCgYIKoZIzj0EAwIw
XTELMAkGA1UEBhMCREUxFjAUBgNVBAoMDUV4YW1wbGUsIEluYy4xCjAIBgNVBAsM
AWExFDASBgkqhkiG9w0BCQEWBWFAYi5jMRQwEgYDVQQDDAsgIlpvw6siICMxIDAg
Fw0yNjExMjEyMzM5MzVaGA8yMTI2MTAyODIzMzkzNVowXTELMAkGA1UEBhMCREUx
FjAUBgNVBAoMDUV4YW1wbGUsIEluYy4xCjAIBgNVBAsMAWExFDASBgkqhkiG9w0B
CQEWBWFAYi5jMRQwEgYDVQQDDAsgIlpvw6siICMxIDBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABFcUEJx65JoLD1cb1uNjbwE9baIdP4UbbqEtaC4FRlS4er1WZpPZ
P6Q/gdyJxNr/UrGu7KFR6ZI2VS0PsBW3dU+jUzBRMB0GA1UdDgQWBBTIpNvTNO6V
yfXwb7/ZYcgoKfXYOzAfBgNVHSMEGDAWgBTIpNvTNO6VyfXwb7/ZYcgoKfXYOzAP
BgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIQCTYEY0c+0DSZag4CaW
qcktPK9Qg7tpRqs/9BQBSYARhAIgRzHRrizNIxhsY3LnXEThq6Es6Ws4p9KLZG3R
UuHYxUI=
-----END CERTIFICATE-----`

test('a subject is the text that Java makes of it', () => {
  const subject = subjectOf(new X509Certificate(CERTIFICATE).raw)
  assert.equal(subject, 'CN=\\ \\"Zoë\\" \\#1\\ ,1.2.840.113549.1.9.1=#16056140622e63,OU=a,O=Example\\, Inc.,C=DE')
})

test('what is no certificate is refused', () => {
  for (const bytes of [[], [0x30], [0x30, 5, 1], [0x30, 0x82, 1, 0]]) {
    assert.throws(() => subjectOf(Uint8Array.from(bytes)))
  }
})
