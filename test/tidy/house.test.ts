import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, expect, test } from 'vitest'

const ROOT = resolve(import.meta.dirname, '../..')
const LINES_MAX = 300

const tracked = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '')

const sources = tracked
  .filter((file) => /^(src|workers|docker|examples|bench)\/.*\.ts$/.test(file))
  .map((file) => ({ file, text: readFileSync(resolve(ROOT, file), 'utf8') }))

/** `file:line` of every line that matches, outside the files where it is allowed. */
function found(pattern: RegExp, isAllowed: (file: string) => boolean): string[] {
  return sources
    .filter(({ file }) => !isAllowed(file))
    .flatMap(({ file, text }) =>
      text.split('\n').flatMap((line, i) => (pattern.test(line) ? [`${file}:${i + 1}`] : [])),
    )
}

describe('the house', () => {
  test('has sources to look at', () => {
    expect(sources.length).toBeGreaterThan(80)
  })

  test('keeps files short', () => {
    const long = sources.filter(({ text }) => text.split('\n').length - 1 > LINES_MAX)
    expect(long.map(({ file }) => file)).toEqual([])
  })

  test('uses the cipher API for frames in one file, for wrapped keys in one, and in benchmarks', () => {
    const isCipher = (file: string) =>
      [
        ...['src/crypto/node-cipher.ts', 'src/crypto/key-wrap.ts'],
        ...['bench/cipher-arms.ts', 'bench/peers/textbook/seal-task.ts'],
      ].includes(file)
    expect(found(/create(De|C)ipheriv|getCiphers|subtle\b/, isCipher)).toEqual([])
  })

  test('names OpenSSL in one file and calls it in another', () => {
    const isDeclared = (file: string) => file === 'src/crypto/openssl-library.ts'
    const isCalled = (file: string) => file === 'src/crypto/gcm-context.ts'
    expect(found(/'koffi'|\bEVP_\w+\(/, isDeclared)).toEqual([])
    expect(found(/openssl\.\w+\(/, isCalled)).toEqual([])
  })

  test('declares native functions in four files: the cipher, limits of the process, its memory, the stack', () => {
    const isNative = (file: string) =>
      [
        'src/crypto/openssl-library.ts',
        'src/adapters/host/process-limits.ts',
        'src/adapters/host/process-memory.ts',
        'docker/stack/timer-slack.ts',
      ].includes(file)
    expect(found(/\.func\(|load\(null\)/, isNative)).toEqual([])
    expect(
      found(/\bimportKoffi\b/, (file) => isNative(file) || file === 'src/crypto/cipher-engine.ts'),
    ).toEqual([])
  })

  test('reads the wall clock in one file of the product', () => {
    const isFree = (file: string) => !file.startsWith('src/') || file === 'src/clock.ts'
    expect(found(/Date\.now\(|new Date\(\)/, isFree)).toEqual([])
  })

  test('reads the environment at the terminal alone', () => {
    const isFree = (file: string) => !file.startsWith('src/') || file === 'src/cli/terminal.ts'
    expect(found(/process\.env/, isFree)).toEqual([])
  })

  test('leaves nothing for later', () => {
    const marks = new RegExp(['TO', 'DO|FIX', 'ME|X', 'XX'].join('').replaceAll('|', '\\b|\\b'))
    expect(found(marks, () => false)).toEqual([])
  })

  test('says of every export what it promises', () => {
    const bare = sources.flatMap(({ file, text }) => {
      const lines = text.split('\n')
      return lines.flatMap((line, i) => {
        const isExport = /^export (default )?(async )?(function|class|const|interface|type [A-Z])/
        // Constants in a row share the text above the first; sections of the schema hold theirs.
        const before = lines[i - 1] ?? ''
        const isSaid =
          before.endsWith('*/') || /^export const/.test(before) || /ection\('/.test(line)
        return isExport.test(line) && !isSaid ? [`${file}:${i + 1}`] : []
      })
    })
    expect(bare).toEqual([])
  })

  test('names kebab-case files and no drawers', () => {
    const odd = sources
      .map(({ file }) => file)
      .filter((file) => {
        const name = file.split('/').at(-1) as string
        return !/^[a-z0-9-]+(\.test)?\.ts$/.test(name) || /^(util|helper|common|misc)/.test(name)
      })
    expect(odd).toEqual([])
  })
})
