'use strict';
const PARALLEL = 4; // a browser opens six connections to a host; one of them carries the outcomes
const LIMIT = 20 * 2 ** 20;
const uploads = document.getElementById('uploads');
const said = document.getElementById('said');
const items = new Map();    // by id: accepted images that wait for their outcome
const outcomes = new Map(); // by id: outcomes that came before the response to their upload
const waiting = [];
const serverOnly = document.getElementById('server-only');
let running = 0;

// The npm package, if it was built, rejects in the browser what the server would reject. Without it, or with the switch,
// only the server decides; it checks every image that it receives.
const engine = document.getElementById('engine');
const local = import('/npm/index.js').then(async greenlight => {
  await greenlight.init();
  engine.textContent = 'Images are checked in this page before they are sent.';
  return greenlight;
}).catch(() => {
  engine.textContent = 'The package in npm/ is not built: only the server checks images.';
});

// Those of the server, which differ between the APIs of the service.
const requirements = fetch('/requirements.json').then(response => response.text()).catch(() => undefined);

// What to tell a person, by the code of a violation. `kind` is the format, `file` the file.
const WORDS = {
  'image/empty': () => 'This file is empty. Choose another one.',
  'image/not-an-image': () => 'This is not an image. Choose a PNG, JPEG, GIF or BMP file.',
  'image/format-unsupported': () => 'Images of this format are not accepted. Please export it as PNG or JPEG.',
  'image/too-large': ({ file }) => `This file has ${size(file.size, LIMIT)}; the limit is ${size(LIMIT)}. Please compress it or make it smaller.`,
  'image/too-small': ({ measured }) => `This image is too small${pixels(measured)}. It needs at least 256 by 256 pixels.`,
  'image/side-too-long': ({ measured }) => `This image is too long${pixels(measured)}. Please make it smaller.`,
  'image/too-many-pixels': () => 'This image has too many pixels. Please make it smaller.',
  'image/truncated': ({ kind }) => `The end of this ${kind} is missing. Please export or download it again.`,
  'image/corrupt': ({ kind }) => `This ${kind} is damaged; please export it again.`,
  'image/type-mismatch': () => 'The name of this file does not match its format. Please export it again.',
  'image/undecided': ({ kind }) => `This ${kind} could not be checked completely. Please export it again.`,
  'upload/too-slow': () => 'The upload was too slow. Please try again.',
  'upload/incomplete': () => 'The upload was interrupted. Please try again.',
  'upload/too-large': ({ file }) => `This file has ${size(file.size, LIMIT)}; the limit is ${size(LIMIT)}. Please compress it or make it smaller.`,
};
const CAN_RETRY = new Set(['upload/too-slow', 'upload/incomplete']);

const OUTCOMES = {
  pass: 'Passed moderation',
  review: 'A person will review this image',
  block: 'Blocked by moderation',
  undecided: 'Moderation has no outcome',
  unscanned: 'Moderation could not scan this image',
};

function element(name, className, ...content) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...content);
  return made;
}

/** A size in the unit of the limit; with so many digits that it differs from `other` if it does. */
function size(bytes, other = bytes) {
  const text = (bytes, digits) => bytes < 2 ** 20 && other < 2 ** 20
    ? `${(bytes / 2 ** 10).toFixed(digits)} KiB` : `${(bytes / 2 ** 20).toFixed(digits)} MiB`;
  const digits = [bytes % 2 ** 20 === 0 ? 0 : 1, 2, 3, 4, 5, 6];
  return text(bytes, digits.find(digits => bytes === other || text(bytes, digits) !== text(other, digits)) ?? 6);
}

/** `WIDTHxHEIGHT` as an addition to a sentence. */
function pixels(measured) {
  const [, width, height] = /^(\d+)x(\d+)$/.exec(measured ?? '') ?? [];
  return width ? `: ${width} by ${height} pixels` : '';
}

/** What to call a file: its format as it was recognized, as a defect names it, or as the browser does. */
function kindOf(file, measured, format) {
  const found = format ?? /^(png|jpeg|gif|bmp|webp)\//.exec(measured)?.[1] ?? /^image\/(png|jpeg|gif|bmp)$/.exec(file.type)?.[1];
  return found?.toUpperCase() ?? 'image';
}

function say(text) { said.textContent = text }

function add(file) {
  const name = element('p', 'name', `${file.name} `, element('span', 'size', size(file.size)));
  const item = element('li', '');
  item.tabIndex = -1; // receives the focus when its button is removed
  const upload = {
    file, item, picture: element('span', 'picture'), text: element('div', 'text', name),
    verdict: element('p', 'verdict'),
  };
  upload.picture.setAttribute('aria-hidden', 'true');
  item.append(upload.picture, upload.text);
  uploads.prepend(item);
  enqueue(upload);
}

function enqueue(upload) {
  const { file, item, picture, text, verdict } = upload;
  text.replaceChildren(text.firstChild);
  picture.replaceChildren('…');
  upload.progress = element('progress', '');
  upload.progress.max = 1;
  upload.progress.value = 0;
  upload.progress.setAttribute('aria-label', `Upload of ${file.name}`);
  verdict.textContent = 'Waiting';
  text.append(upload.progress, verdict);
  item.dataset.state = 'waiting';
  waiting.push(upload);
  next();
}

function next() {
  while (running < PARALLEL && waiting.length > 0) {
    running += 1;
    start(waiting.shift());
  }
}

async function start(upload) {
  const greenlight = serverOnly.checked ? undefined : await local;
  const verdict = await greenlight?.check(upload.file, { early: true, requirements: await requirements }).catch(() => undefined);
  if (verdict?.decision !== 'reject') {
    send(upload);
    return;
  }
  reject(upload, verdict.violations, verdict.format, 'page');
  running -= 1;
  next();
}

function send(upload) {
  const { file, item, progress, verdict } = upload;
  const form = new FormData();
  form.append('image', file, file.name);
  const request = new XMLHttpRequest(); // fetch does not report the progress of an upload
  request.open('POST', '/upload');
  request.responseType = 'json';
  request.upload.onprogress = event => {
    progress.value = event.lengthComputable ? event.loaded / event.total : 0;
    verdict.textContent = `Uploading: ${Math.round(progress.value * 100)} %`;
  };
  request.onload = () => {
    const { status, response } = request;
    if (status === 200) accept(upload, response);
    else if (status >= 500 || CAN_RETRY.has(response?.code)) {
      fail(upload, WORDS[response?.code]?.({}) ?? 'The server has a problem. Please try again.', `status ${status}`);
    } else refuse(upload, response, status);
  };
  request.onerror = () => fail(upload, 'The connection was lost. Please try again.');
  request.onloadend = () => { running -= 1; next() };
  item.dataset.state = 'uploading';
  verdict.textContent = 'Uploading';
  request.send(form);
}

function settle({ file, item, picture, progress, verdict }, state, text) {
  progress.remove();
  item.dataset.state = state;
  verdict.textContent = text;
  if (state !== 'accepted') picture.replaceChildren('×');
  say(`${file.name}: ${text}`);
}

/** What a program or its author needs to know. */
function details(upload, lines) {
  const list = element('ul', '', ...lines.map(line => element('li', '', line)));
  upload.text.append(element('details', '', element('summary', '', 'Details'), list));
}

function accept(upload, answer) {
  settle(upload, 'accepted', `${answer.format.toUpperCase()}, ${answer.width} by ${answer.height} pixels`);
  const image = document.createElement('img');
  image.alt = '';
  image.src = URL.createObjectURL(upload.file);
  image.onload = image.onerror = () => URL.revokeObjectURL(image.src);
  upload.picture.replaceChildren(image);
  upload.outcome = element('p', 'outcome', 'Waiting for moderation');
  upload.text.append(upload.outcome);
  if (answer.warnings.length > 0) details(upload, answer.warnings);
  items.set(answer.id, upload);
  if (outcomes.has(answer.id)) show(outcomes.get(answer.id));
}

/** Rejects an image for its violations, in words by the first one. */
function reject(upload, violations, format, by) {
  const reasons = violations.filter(violation => violation.severity === 'reject');
  const [{ code, measured }] = reasons;
  const kind = kindOf(upload.file, measured, format);
  settle(upload, 'rejected', WORDS[code]?.({ ...upload, measured, kind }) ?? 'This image cannot be used.');
  upload.item.dataset.by = by;
  upload.item.dataset.code = code;
  upload.text.append(element('p', 'more by', by === 'page' ? 'Checked in this page; nothing was sent.' : 'Checked by the server.'));
  // The server stops reading at the limit, so its count is not the size.
  details(upload, reasons.map(({ code, message }) => code === 'image/too-large'
    ? `${code}: ${upload.file.size} bytes, at most ${LIMIT}` : `${code}: ${message}`));
}

function refuse(upload, problem, status) {
  const code = problem?.code ?? 'upload/refused';
  const detail = problem?.detail ?? `the server responded with status ${status}`;
  const violations = (problem?.violations ?? []).filter(violation => violation.severity === 'reject');
  reject(upload, violations.length > 0 ? violations : [{ code, message: detail, severity: 'reject' }], null, 'server');
}

/** The upload failed for a reason that is not the image. */
function fail(upload, text, detail) {
  settle(upload, 'failed', text);
  if (detail) details(upload, [detail]);
  const retry = element('button', 'retry', 'Try again');
  retry.type = 'button';
  retry.setAttribute('aria-label', `Try again to upload ${upload.file.name}`);
  retry.onclick = () => {
    upload.item.focus();
    enqueue(upload);
  };
  upload.text.append(retry);
}

function show(outcome) {
  const upload = items.get(outcome.id);
  if (!upload) {
    outcomes.set(outcome.id, outcome);
    return;
  }
  items.delete(outcome.id);
  const { file, item, picture } = upload;
  item.dataset.state = outcome.decision;
  if (outcome.decision === 'block') picture.replaceChildren('⊘');
  upload.outcome.textContent = OUTCOMES[outcome.decision] ?? OUTCOMES.undecided;
  if (outcome.detail) details(upload, [outcome.detail]);
  say(`${file.name}: ${upload.outcome.textContent}`);
}

new EventSource('/events').onmessage = event => show(JSON.parse(event.data));

function addAll(files) {
  for (const file of files) add(file);
}

const input = document.getElementById('files');
input.onchange = () => { addAll(input.files); input.value = '' };

const drop = document.getElementById('drop');
for (const kind of ['dragenter', 'dragover']) {
  document.addEventListener(kind, event => { event.preventDefault(); drop.classList.add('over') });
}
document.addEventListener('dragleave', event => { if (!event.relatedTarget) drop.classList.remove('over') });
document.addEventListener('drop', event => {
  event.preventDefault();
  drop.classList.remove('over');
  addAll(event.dataTransfer.files);
});
