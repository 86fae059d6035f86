import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { OPTIONAL_PACKAGES } from '../../../src/compose/optional-packages.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
/** What a user has who installed no package of another provider. */
const INSTALLED = ['cockatiel', '@aws-sdk/client-kms']
const ASK = `
import { openKms } from './src/compose/kms.ts'
const kms = openKms(JSON.parse(process.argv[2]), { triesMax: 1 })
const failure = await kms.generateDataKey('k', {}).catch((error) => error)
console.log(JSON.stringify({ code: failure.code, message: failure.message, retryable: failure.retryable }))
`

let place: string

beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'sealstream-packages-'))
  await cp(join(ROOT, 'src'), join(place, 'src'), { recursive: true })
  await writeFile(join(place, 'package.json'), '{ "type": "module" }')
  await writeFile(join(place, 'ask.ts'), ASK)
  for (const name of INSTALLED) {
    const link = join(place, 'node_modules', name)
    await mkdir(dirname(link), { recursive: true })
    await symlink(join(ROOT, 'node_modules', name), link)
  }
})
afterAll(() => rm(place, { recursive: true }))

async function failureOf(choice: Record<string, unknown>) {
  const asked = JSON.stringify({ requestTimeoutMs: 5_000, ...choice })
  const { stdout } = await promisify(execFile)(process.execPath, ['ask.ts', asked], { cwd: place })
  return JSON.parse(stdout) as unknown
}

describe('packages of one KMS provider', () => {
  it('are not loaded for another', async () => {
    const aws = { region: 'r', endpoint: 'http://127.0.0.1:9', accessKeyId: 'a' }
    expect(await failureOf({ provider: 'aws', secretAccessKey: 's', ...aws })).toMatchObject({
      code: 'SEAL_KMS_UNAVAILABLE',
    })
  })

  it.each([
    [{ provider: 'gcp' }, '@google-cloud/kms@6.3.0 google-auth-library@11.3.4'],
    [
      { provider: 'azure', algorithm: 'RSA-OAEP-256' },
      '@azure/keyvault-keys@4.10.2 @azure/identity@4.14.1',
    ],
    [{ provider: 'pkcs11', module: 'm', tokenLabel: 't' }, 'pkcs11js@2.1.7'],
  ])('are asked for where they are missing: %j', async (choice, packages) => {
    expect(await failureOf(choice)).toEqual({
      code: 'SEAL_KMS_REFUSED',
      message: `KMS provider ${choice.provider} needs packages that are not installed; run npm install ${packages}`,
      retryable: false,
    })
  })

  it('are to be built where their install script was denied', async () => {
    const unbuilt = join(place, 'node_modules', 'pkcs11js')
    await cp(join(ROOT, 'node_modules', 'pkcs11js', 'package.json'), join(unbuilt, 'package.json'))
    await cp(join(ROOT, 'node_modules', 'pkcs11js', 'index.js'), join(unbuilt, 'index.js'))
    expect(await failureOf({ provider: 'pkcs11', module: 'm', tokenLabel: 't' })).toEqual({
      code: 'SEAL_KMS_REFUSED',
      message: 'KMS provider pkcs11 needs packages that are not built; run npm rebuild pkcs11js',
      retryable: false,
    })
    await rm(unbuilt, { recursive: true })
  })

  it('are optional peers, at the versions that the tests use', async () => {
    const manifest = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'))
    const named = Object.values(OPTIONAL_PACKAGES).flat().sort()
    const versioned = (packages: Record<string, string>) =>
      Object.entries(packages).map(([name, version]) => `${name}@${version}`)
    expect(versioned(manifest.peerDependencies).sort()).toEqual(named)
    expect(versioned(manifest.devDependencies)).toEqual(expect.arrayContaining(named))
    for (const name of Object.keys(manifest.peerDependencies)) {
      expect(manifest.peerDependenciesMeta[name]).toEqual({ optional: true })
    }
  })
})
