import { execFile } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { changeKeyFile } from '../../src/adapters/kms/local-key-writer.ts'
import { LocalKms } from '../../src/adapters/kms/local-kms.ts'
import { blocksOf } from '../support/doc-blocks.ts'
import { HttpBucket } from '../support/http-bucket.ts'
import { MemoryObjectStore } from '../support/memory-object-store.ts'
import { messages } from '../support/messages.ts'
import { KEK_ID, makeDek, sealSegment } from '../support/sealed-segment.ts'
import { API_REFERENCE_FOLDER, writeApiReference } from './api-reference.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const NPM = ['--no-audit', '--no-fund', '--prefer-offline', '--loglevel', 'error']
const PAGES = ['docs/reading.md', 'README.md']
const run = promisify(execFile)
const store = new MemoryObjectStore()
const bucket = new HttpBucket(store)
let folder: string
let settings: string
let reference: string

/** Packs what would be published and installs it where nothing else is. */
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sealstream-package-'))
  cpSync(join(import.meta.dirname, 'project'), folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{ "name": "empty", "private": true }')
  await run('npm', ['pack', '--pack-destination', folder, '--loglevel', 'error'], { cwd: ROOT })
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz')) as string
  await run('npm', ['install', `./${tarball}`, ...NPM], { cwd: folder })

  const keyFile = join(folder, 'keys.json')
  await changeKeyFile({ path: keyFile, name: KEK_ID, rotate: false, nowMs: Date.now() })
  const dek = await makeDek(new LocalKms({ keyFile }))
  const { references } = await sealSegment(dek, store, messages(3, { partition: 0 }))
  reference = JSON.stringify({ v: 1, ...references[1] })
  const s3 = { ...(await bucket.start()), prefix: 'sealed', forcePathStyle: true }
  settings = JSON.stringify({ s3, kms: { provider: 'local', keyFile, allowedKeyIds: [KEK_ID] } })
})

afterAll(async () => {
  await bucket.stop()
  rmSync(folder, { recursive: true, force: true })
})

describe('the reference of the public exports', () => {
  it('is what the types of the package give: npm run docs:api', async () => {
    const fresh = join(folder, 'api')
    await writeApiReference(fresh)
    expect(pagesIn(API_REFERENCE_FOLDER)).toEqual(pagesIn(fresh))
  })
})

describe('the installed package', () => {
  it.each([
    ['22', 'esm.mjs'],
    ['22', 'cjs.cjs'],
    ['24', 'esm.mjs'],
    ['24', 'cjs.cjs'],
  ])('opens a reference on Node %s from %s', async (version, file) => {
    const node = ['-y', '--prefer-offline', '-p', `node@${version}`, 'node']
    const { stdout, stderr } = await run('npx', [...node, file, settings, reference], {
      cwd: folder,
    })
    expect(JSON.parse(stdout)).toEqual(['value 1', true, 'malformed', true])
    expect(stderr).toBe('')
  })

  it('brings its command line along', async () => {
    const { stdout } = await run(process.execPath, [
      join(folder, 'node_modules/sealstream/dist/src/cli/main.js'),
      '--help',
    ])
    expect(stdout).toContain('Usage: sealstream')
    expect(existsSync(join(folder, 'node_modules/.bin/sealstream'))).toBe(true)
  })

  it.each(['nodenext', 'bundler'])('has types under moduleResolution %s', async (resolution) => {
    const pages = PAGES.flatMap((page) => blocksOf(join(ROOT, page), 'ts'))
    expect(pages.length).toBeGreaterThan(2)
    pages.forEach((code, i) => {
      writeFileSync(join(folder, `page-${i}.mts`), code)
    })
    writeFileSync(
      join(folder, 'importer.cts'),
      `import sealstream = require('sealstream')\nexport const kind: sealstream.ErrorKind = 'gone'\n`,
    )
    const compilerOptions = {
      ...{ strict: true, noEmit: true, target: 'es2022', types: ['node'] },
      ...(resolution === 'nodenext'
        ? { module: 'nodenext' }
        : { module: 'preserve', moduleResolution: 'bundler' }),
      typeRoots: [join(ROOT, 'node_modules/@types')],
    }
    const files = ['importer.cts', ...pages.map((_, i) => `page-${i}.mts`)]
    const config = join(folder, 'tsconfig.json')
    writeFileSync(config, JSON.stringify({ compilerOptions, files }))
    const compiler = join(ROOT, 'node_modules/.bin/tsc')
    const { stdout } = await run(compiler, ['-p', config], { cwd: folder }).catch((error) => error)
    expect(stdout).toBe('')
  })
})

/** The text of every page, by its name. */
function pagesIn(folder: string): Record<string, string> {
  const names = readdirSync(folder).sort()
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name), 'utf8')]))
}
