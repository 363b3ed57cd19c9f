// The releases' page: uploads a bundle with its progress (fetch has none for what it sends), then shows the new list.
import "./page.js";
import { setText } from "./show.js";
import { refresher } from "./refresh.js";

const form = document.getElementById("upload");
const progress = document.getElementById("upload-progress");
const error = document.getElementById("upload-error");
const refresh = refresher(["releases"]);

function showError(text) {
  setText(error, text);
  error.hidden = !text;
}

function showProgress(done, text) {
  progress.hidden = !text;
  progress.querySelector("progress").value = done;
  setText(progress.querySelector("span"), text);
}

function answerOf(request) {
  try {
    return JSON.parse(request.responseText);
  } catch {
    return {};
  }
}

function send(file) {
  const request = new XMLHttpRequest();
  request.open("POST", "/api/v1/releases");
  request.upload.onprogress = ({ loaded, total }) => {
    const percent = Math.floor((loaded / total) * 100);
    showProgress(loaded / total, loaded < total ? `${percent} % sent` : "Verifying the signature …");
  };
  request.onload = () => {
    const answer = answerOf(request);
    if (request.status < 300) {
      form.reset();
      showProgress(1, request.status === 201 ? `Version ${answer.version} is ready.` : `This is version ${answer.version}, which was here already.`);
      refresh(true);
    } else {
      showProgress(0, "");
      showError(answer.detail ?? `The server answered ${request.status}.`);
    }
  };
  request.onerror = () => {
    showProgress(0, "");
    showError("The upload broke off: the server can't be reached. Try again.");
  };
  request.onloadend = () => { form.querySelector("button").disabled = false; };
  form.querySelector("button").disabled = true;
  request.send(file);
}

form.hidden = false;
form.addEventListener("submit", (event) => {
  event.preventDefault();
  showError("");
  send(document.getElementById("bundle").files[0]);
});
