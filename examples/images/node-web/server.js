"use strict";

const express = require("express");

const app = express();
app.get("/", (request, response) => response.send("Hello from Express\n"));
app.listen(8080, "0.0.0.0");
