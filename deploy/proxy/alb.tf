# An Application Load Balancer before several gateways: the settings that WebSockets need. A gateway
# behind it needs TRUST_PROXY with the networks of the balancer's subnets: it adds the client's
# address to X-Forwarded-For.

variable "vpc_id" {
  type = string
}

variable "subnet_ids" {
  description = "Public subnets, in two availability zones or more."
  type        = list(string)
}

variable "security_group_ids" {
  type = list(string)
}

variable "certificate_arn" {
  type = string
}

resource "aws_lb" "lablink" {
  name               = "lablink"
  load_balancer_type = "application"
  subnets            = var.subnet_ids
  security_groups    = var.security_group_ids
  # Longer than the heartbeat (5 s) and the longest wait over HTTP (60 s); the default of 60 s is
  # too short.
  idle_timeout = 90
  # The host stays unchanged: a gateway compares it with the origin of a browser's page.
  preserve_host_header       = true
  drop_invalid_header_fields = true
}

resource "aws_lb_target_group" "gateways" {
  name        = "lablink-gateways"
  vpc_id      = var.vpc_id
  port        = 8080
  protocol    = "HTTP"
  target_type = "ip"
  # Sockets stay open for days, so a new gateway, with the fewest, gets the next requests.
  load_balancing_algorithm_type = "least_outstanding_requests"
  # A stopping gateway closes its sockets itself. Longer than DRAIN_SECONDS plus 5 s.
  deregistration_delay = 16

  health_check {
    path                = "/health/ready"
    interval            = 5
    timeout             = 2
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.lablink.arn
  port              = 443
  protocol          = "HTTPS"
  certificate_arn   = var.certificate_arn
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.gateways.arn
  }
}

# /metrics is not routed: Prometheus scrapes each gateway directly.
resource "aws_lb_listener_rule" "metrics" {
  listener_arn = aws_lb_listener.https.arn
  priority     = 1

  condition {
    path_pattern {
      values = ["/metrics"]
    }
  }

  action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      status_code  = "404"
    }
  }
}
