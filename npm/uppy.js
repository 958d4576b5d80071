// A plugin for Uppy: a rejected file is removed before its upload begins.

import { BasePlugin } from '@uppy/core';
import { check } from './index.js';

export default class Greenlight extends BasePlugin {
  #checks = new Map(); // by file id

  constructor(uppy, options) {
    super(uppy, { early: true, ...options });
    this.type = 'modifier';
    this.id = this.opts.id ?? 'Greenlight';
    this.prepare = this.prepare.bind(this);
    this.add = this.add.bind(this);
    this.remove = this.remove.bind(this);
  }

  install() {
    this.uppy.on('file-added', this.add);
    this.uppy.on('file-removed', this.remove);
    this.uppy.addPreProcessor(this.prepare);
  }

  uninstall() {
    this.uppy.off('file-added', this.add);
    this.uppy.off('file-removed', this.remove);
    this.uppy.removePreProcessor(this.prepare);
  }

  /** Starts the check of a file once; `prepare` starts it for files of which `file-added` was not emitted. */
  add(file) {
    if (!this.#checks.has(file.id)) this.#checks.set(file.id, this.#check(file));
    return this.#checks.get(file.id);
  }

  remove(file) {
    this.#checks.delete(file.id);
  }

  /** Runs before an upload: waits for the checks of its files. */
  async prepare(ids) {
    await Promise.all(ids.map(id => {
      const file = this.uppy.getFile(id);
      return file && this.add(file);
    }));
  }

  async #check(file) {
    if (!(file.data instanceof Blob)) return; // a file of a remote provider: the server decides
    const { id, onVerdict, onError, ...options } = this.opts;
    let verdict;
    try {
      verdict = await check(file.data, { name: file.name, ...options });
    } catch (error) {
      onError?.(error, file); // the server decides
      this.uppy.log(error, 'warning');
      return;
    }
    onVerdict?.(verdict, file);
    if (verdict.decision !== 'reject' || !this.uppy.getFile(file.id)) return;
    const violation = verdict.violations.find(({ severity }) => severity === 'reject');
    const error = Object.assign(new Error(violation.message), { code: violation.code, verdict, isRestriction: true });
    this.uppy.removeFile(file.id);
    this.uppy.info(`${file.name}: ${violation.message}`, 'error', 5000);
    this.uppy.emit('restriction-failed', file, error);
  }
}
