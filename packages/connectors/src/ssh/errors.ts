import type { ErrorSpec } from '@plugwork/core'
import { packageMissing } from '../optional-package.ts'

/** Error codes of SSH connections (ssh and sftp) and of commands. Those of the socket are `egress_…`. */
export const ERRORS = {
  ssh_package: packageMissing('ssh2'),
  ssh_config: { status: 422, retryable: false, summary: 'A setting of an SSH connection cannot be used.' },
  ssh_host_key: {
    status: 502,
    retryable: false,
    summary: 'The server shows another host key than `host_key` says: the wrong server, or somebody in between.',
  },
  ssh_auth: { status: 502, retryable: false, summary: 'The server accepts neither password nor key.' },
  ssh_connect: { status: 502, retryable: true, summary: 'No SSH connection could be opened, or it did not speak SSH.' },
  ssh_failed: {
    status: 502,
    retryable: true,
    summary: 'The server refused to open a channel, or another error of SSH.',
  },
  ssh_exit: {
    status: 502,
    retryable: false,
    summary:
      'A command ended with another exit code than 0, or by a signal. `data` has `exit_code`, `signal`, `stdout`, `stderr`.',
  },
  ssh_timeout: { status: 504, retryable: false, summary: 'A command ran longer than `time_limit` and was killed.' },
  ssh_output: {
    status: 413,
    retryable: false,
    summary: 'A command printed more than `max_output_bytes` and was killed.',
  },
} as const satisfies Record<string, ErrorSpec>

export type SshErrorCode = keyof typeof ERRORS
