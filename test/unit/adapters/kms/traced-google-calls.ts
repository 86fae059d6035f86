import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GcpKms } from '../../../../src/adapters/kms/gcp-kms.ts'
import { FakeGoogleKms, serviceAccountFile } from '../../../support/fake-google-kms.ts'

/** Makes and unwraps a DEK, and prints it: what must not stand in the log of the vendor's client. */
const account = serviceAccountFile()
const google = new FakeGoogleKms(account.publicKey)
const endpoint = await google.server.start()
const folder = await mkdtemp(join(tmpdir(), 'sealstream-traced-'))
const credentialsFile = join(folder, 'account.json')
await writeFile(credentialsFile, account.json)
const kms = await GcpKms.open({ endpoint, credentialsFile, requestTimeoutMs: 5_000 })
const kekId = google.createKey('orders')
const { plaintext, wrapped } = await kms.generateDataKey(kekId, { dek: 'd' })
await kms.unwrap(kekId, wrapped, { dek: 'd' })
await kms.close()
await google.server.stop()
await rm(folder, { recursive: true })
process.stdout.write(Buffer.from(plaintext).toString('hex'))
