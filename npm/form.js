// A form whose file inputs hold only images that pass.

import { check } from './index.js';

/** Checks the files of a form's inputs when they are chosen, and before the form is submitted. */
export function guardForm(form, { onVerdict, onError, ...options } = {}) {
  const checks = new WeakMap(); // by input: the check of what it holds now
  const passed = new WeakSet(); // submit events that were checked are sent again, once

  function start(input) {
    input.setCustomValidity('');
    const files = [...input.files];
    const current = examine(input, files, () => checks.get(input) === current);
    checks.set(input, current);
    return current;
  }

  async function examine(input, files, isCurrent) {
    for (const file of files) {
      let verdict;
      try {
        verdict = await check(file, { early: true, ...options });
      } catch (error) {
        onError?.(error, file); // the server decides
        continue;
      }
      if (!isCurrent()) return;
      onVerdict?.(verdict, file, input);
      if (verdict.decision === 'reject') {
        const { message } = verdict.violations.find(violation => violation.severity === 'reject');
        input.setCustomValidity(`${file.name}: ${message}`);
        return;
      }
    }
  }

  function inputs() {
    return [...form.elements].filter(element => element.type === 'file' && !element.disabled);
  }

  function changed(event) {
    if (event.target.type === 'file') start(event.target);
  }

  async function submitted(event) {
    if (passed.has(form)) {
      passed.delete(form);
      return;
    }
    event.preventDefault();
    event.stopImmediatePropagation(); // other listeners hear of the submission that passed
    await Promise.all(inputs().map(input => checks.get(input) ?? start(input)));
    // A microtask can run while this event is still dispatched, and the form then ignores a further submission.
    await new Promise(resolve => setTimeout(resolve));
    if (!form.reportValidity()) return;
    passed.add(form);
    form.requestSubmit(event.submitter);
    passed.delete(form);
  }

  form.addEventListener('change', changed);
  form.addEventListener('submit', submitted, { capture: true });
  return () => {
    form.removeEventListener('change', changed);
    form.removeEventListener('submit', submitted, { capture: true });
    for (const input of inputs()) input.setCustomValidity('');
  };
}
