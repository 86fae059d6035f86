import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const CLI = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

/**
 * A transcript is a text file of blocks. `file NAME`, with its content behind `| `, is written to
 * an empty folder; `env NAME=VALUE` is set for every command; `$ sealstream ...` is run there.
 * After a command stands what it wrote, behind `out| ` and `err| `, and `exit N`. Other lines are
 * prose. Running a transcript gives the same text with what really happened.
 */
export function runTranscript(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'sealstream-cli-'))
  try {
    return replay(text.split('\n'), folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function replay(lines: readonly string[], folder: string): string {
  const env: Record<string, string> = {}
  const result: string[] = []
  for (const [index, line] of lines.entries()) {
    if (/^(?:out\||err\||exit )/.test(line)) continue
    result.push(line)
    const [word = '', ...rest] = line.split(' ')
    if (word === 'file') {
      writeFileSync(join(folder, rest.join(' ')), contentAfter(lines, index))
    } else if (word === 'env') {
      const [name = '', value = ''] = rest.join(' ').split(/=(.*)/s)
      env[name] = value
    } else if (word === '$') {
      result.push(...runCommand(rest, folder, env))
    }
  }
  return result.join('\n')
}

function contentAfter(lines: readonly string[], index: number): string {
  let content = ''
  for (const line of lines.slice(index + 1)) {
    if (!line.startsWith('|')) break
    content += `${line.slice(2)}\n`
  }
  return content
}

function runCommand(
  words: readonly string[],
  folder: string,
  env: Readonly<Record<string, string>>,
): string[] {
  if (words[0] !== 'sealstream') throw new Error(`a transcript runs only sealstream: ${words[0]}`)
  const { stdout, stderr, status } = spawnSync(process.execPath, [CLI, ...words.slice(1)], {
    cwd: folder,
    env,
    encoding: 'utf8',
  })
  return [...marked('out', stdout), ...marked('err', stderr), `exit ${status}`]
}

function marked(stream: string, text: string): string[] {
  if (text === '') return []
  return text
    .replace(/\n$/, '')
    .split('\n')
    .map((line) => `${stream}| ${line}`.trimEnd())
}
