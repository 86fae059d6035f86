import { execFileSync, spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { COMPLETION_SHELLS, completionScript } from '../../../src/cli/completion-script.ts'
import { registrations } from '../../../src/cli/main.ts'
import { buildProgram } from '../../../src/cli/program.ts'

const terminal = { env: {}, out: () => {}, err: () => {}, exitCode: 0 }
const program = buildProgram(registrations, terminal)
const script = completionScript(program, 'bash')

/** What bash offers behind these words, the last of which is being typed. */
function offered(...words: string[]): string[] {
  const line = ['sealstream', ...words].map((word) => `'${word}'`).join(' ')
  const asked = `${script}\nCOMP_WORDS=(${line}); COMP_CWORD=${words.length}; _sealstream; printf '%s\\n' "\${COMPREPLY[@]}"`
  const out = execFileSync('bash', ['--norc', '-c', asked], { encoding: 'utf8' })
  return out.split('\n').filter((word) => word !== '')
}

const has = (shell: string) => spawnSync(shell, ['-c', 'true']).status === 0

/** Every command of the program with its options, as somebody types it. */
function everyWord(command: typeof program, path: readonly string[] = []): string[][] {
  const options = command.options.flatMap(({ long }) => (long ? [[...path, long]] : []))
  const below = command.commands.flatMap((child) => [
    [...path, child.name()],
    ...everyWord(child, [...path, child.name()]),
  ])
  return [...options, ...below]
}

describe('completions in bash', () => {
  it('offer commands, the commands below them, and options', () => {
    expect(offered('')).toEqual(expect.arrayContaining(['run', 'read', 'open', 'impact', '--help']))
    expect(offered('re')).toEqual(expect.arrayContaining(['read', 'rewrap', 'reencrypt']))
    expect(offered('config', 'c')).toEqual(['check'])
    expect(offered('read', 'orders', '--fo')).toEqual(['--follow'])
    expect(offered('rotate', 'kek', '--re')).toContain('--reason')
  })

  it('offer nothing of ours where nothing fits', () => {
    expect(offered('read', 'ord')).toEqual([])
    expect(offered('config', 'check', 'x')).toEqual([])
  })
})

describe('completions in zsh', () => {
  const zsh = completionScript(program, 'zsh')

  it('have every command and option at its place, with what it is for', () => {
    expect(zsh).toMatch(/^#compdef sealstream\n/)
    for (const words of everyWord(program)) {
      const word = words.at(-1)
      const place = zsh.split('\n').find((line) => line.startsWith(placeOf(words)))
      expect(place).toContain(` '${word}:`.replace(/^ /, place?.includes(`('${word}:`) ? '(' : ' '))
    }
  })

  it('are a script that the shell reads', () => {
    expectToParse('zsh', zsh)
  })
})

describe('completions in fish', () => {
  const fish = completionScript(program, 'fish')

  it('have every command and option at its place, with what it is for', () => {
    for (const words of everyWord(program)) {
      const at = ['__sealstream_at', ...words.slice(0, -1)].join(' ')
      const word = words.at(-1) as string
      const what = word.startsWith('--') ? `-l ${word.slice(2)}` : `-a ${word}`
      expect(fish).toContain(`complete -c sealstream -n '${at}' ${what} -d '`)
    }
  })

  it('are a script that the shell reads', () => {
    expectToParse('fish', fish)
  })
})

describe('completions', () => {
  it.each(COMPLETION_SHELLS)('for %s quote whatever descriptions hold', (shell) => {
    const text = completionScript(program, shell)
    for (const line of text
      .split('\n')
      .filter((one) => /^complete -c|choices=\(|words='/.test(one))) {
      expect((line.match(/'/g) ?? []).length % 2).toBe(0)
    }
  })
})

function placeOf(words: readonly string[]): string {
  return `    '${words
    .slice(0, -1)
    .map((word) => ` ${word}`)
    .join('')}')`
}

/** Without that shell, by the quotes alone, which are what descriptions could break. */
function expectToParse(shell: string, text: string): void {
  if (has(shell)) execFileSync(shell, ['-n'], { input: text })
  const code = text.replace(/^#.*$/gm, '')
  expect((code.match(/'/g) ?? []).length % 2).toBe(0)
  expect((code.match(/"/g) ?? []).length % 2).toBe(0)
}
